// Bytes logged and time a write for each log format: what the writing connection of a leader does, and a follower's.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogFormats } from "../../packages/skein/src/database/changes/formats.ts";
import type { AppliedEntry, WriteRequest } from "../../packages/skein/src/database/database.ts";
import { type LogFormat, logFormats } from "../../packages/skein/src/database/log-format.ts";
import type { Value } from "../../packages/skein/src/database/program.ts";
import { defaultDatabaseSettings as settings } from "../../packages/skein/src/database/settings.ts";
import { createWriter, type Writer } from "../../packages/skein/src/database/writer.ts";
import { waitForQuiet } from "../quiet.ts";
import { type Measurement, median, type Row, show, spread, table } from "../report.ts";

interface Load {
	readonly name: string;
	/** Requests that commit together. */
	readonly group: number;
	readonly setUp: readonly string[];
	readonly write: (number: number) => { readonly sql: string; readonly values: readonly Value[] };
}

const text = "x".repeat(100);
const wideColumns = Array.from({ length: 40 }, (_, place) => `c${place}`);
const bulkRows = 100_000;
const bulkShare = 10;
const rowsOf = (rows: number): string =>
	`WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r LIMIT ${rows})`;
const insertSmall = {
	setUp: ["CREATE TABLE small (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)"],
	write: (number: number) => ({
		sql: "INSERT INTO small (name, n) VALUES (?, ?)",
		values: [text, BigInt(number)],
	}),
};

const loads: readonly Load[] = [
	{ name: "small inserts, 64 a group", group: 64, ...insertSmall },
	{ name: "small inserts, alone", group: 1, ...insertSmall },
	{
		name: "wide updates: 20 of 40 columns of a row, 64 a group",
		group: 64,
		setUp: [
			`CREATE TABLE wide (id INTEGER PRIMARY KEY, ${wideColumns.map((name) => `${name} TEXT`).join(", ")})`,
			`${rowsOf(1_000)} INSERT INTO wide SELECT n, ${wideColumns.map(() => "hex(randomblob(20))").join(", ")} FROM r`,
		],
		write: (number) => ({
			sql: `UPDATE wide SET ${wideColumns
				.slice(0, 20)
				.map((name) => `${name} = ?`)
				.join(", ")} WHERE id = ?`,
			values: [
				...wideColumns.slice(0, 20).map((name) => `${name} ${number} ${"x".repeat(30)}`),
				BigInt((number * 7) % 1_000) + 1n,
			],
		}),
	},
	{
		name: `bulk UPDATE … WHERE: ${show(bulkRows / bulkShare)} rows`,
		group: 1,
		setUp: [
			"CREATE TABLE bulk (id INTEGER PRIMARY KEY, share INTEGER, n INTEGER, name TEXT)",
			`${rowsOf(bulkRows)} INSERT INTO bulk SELECT n, n % ${bulkShare}, 0, hex(randomblob(20)) FROM r`,
		],
		write: (number) => ({
			sql: "UPDATE bulk SET n = n + 1 WHERE share = ?",
			values: [BigInt(number % bulkShare)],
		}),
	},
	{
		name: `the same of a table without a key`,
		group: 1,
		setUp: [
			"CREATE TABLE loose (share INTEGER, n INTEGER, name TEXT)",
			`${rowsOf(bulkRows)} INSERT INTO loose SELECT n % ${bulkShare}, 0, hex(randomblob(20)) FROM r`,
		],
		write: (number) => ({
			sql: "UPDATE loose SET n = n + 1 WHERE share = ?",
			values: [BigInt(number % bulkShare)],
		}),
	},
	{
		name: "inserts into a table with 8 indexes, 64 a group",
		group: 64,
		setUp: [
			"CREATE TABLE indexed (id INTEGER PRIMARY KEY, a, b, c, d, e, f, g, h)",
			..."abcdefgh".split("").map((name) => `CREATE INDEX by_${name} ON indexed (${name})`),
		],
		write: (number) => ({
			sql: "INSERT INTO indexed (a, b, c, d, e, f, g, h) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			// Every index gets its entries in another order.
			values: Array.from({ length: 8 }, (_, place) => BigInt((number * (2 * place + 7_919)) % 1_000_003)),
		}),
	},
];

interface Figures {
	/** For one request. */
	readonly bytes: number;
	readonly leaderMicroseconds: number;
	readonly followerMicroseconds: number;
}

export const formats: Measurement = {
	name: "formats",
	title: "Log formats",
	async run({ rounds, seconds, say }) {
		const measured = loads.flatMap((load) =>
			logFormats.map((format) => ({ load, format, figures: [] as Figures[] })),
		);
		for (let round = 1; round <= rounds; round += 1) {
			for (const { load, format, figures } of measured) {
				await waitForQuiet();
				figures.push(measure(load, format, seconds));
				say(`round ${round}: ${load.name}, ${format}: ${describe(figures.slice(-1))}`);
			}
		}
		const figuresOf = (load: Load, format: LogFormat): readonly Figures[] =>
			measured.find((one) => one.load === load && one.format === format)?.figures ?? [];
		return {
			rows: loads.map(
				(load): Row => ({
					measure: `Bytes logged and time a write: ${load.name}`,
					atLeast: "reported",
					aim: "",
					measured: logFormats.map((format) => `${format} ${describe(figuresOf(load, format))}`).join("; "),
					isMet: null,
				}),
			),
			details: [
				`One request at a time on the writing connection of a leader (execute, capture, SQLite's commit), and what it logged`,
				`applied on a follower's, both in one process, without network and log. ${seconds} s for each, formats take turns.`,
				"",
				table(
					["", "format", "bytes logged", "µs on the leader", "µs on a follower"],
					measured.map(({ load, format, figures }) => [
						load.name,
						format,
						spread(figures.map((each) => each.bytes)),
						spread(
							figures.map((each) => each.leaderMicroseconds),
							1,
						),
						spread(
							figures.map((each) => each.followerMicroseconds),
							1,
						),
					]),
				),
			].join("\n"),
		};
	},
};

function describe(figures: readonly Figures[]): string {
	const of = (pick: (each: Figures) => number): number => median(figures.map(pick));
	return `${show(of((each) => each.bytes))} bytes, ${show(
		of((each) => each.leaderMicroseconds),
		1,
	)} µs on the leader, ${show(
		of((each) => each.followerMicroseconds),
		1,
	)} µs on a follower`;
}

/** A leader and a follower of a database of their own. */
function measure(load: Load, format: LogFormat, seconds: number): Figures {
	const directory = mkdtempSync(join(tmpdir(), "skein-bench-formats-"));
	const open = (name: string): Writer =>
		createWriter({
			path: join(directory, name),
			formats: createLogFormats(),
			settings,
			now: () => performance.now(),
		});
	const [leader, follower] = [open("leader"), open("follower")];
	try {
		leader.prepareToLead();
		const pair = createPair(leader, follower);
		pair.write([
			{ ...requestOf("", []), program: { steps: [] }, setting: { name: "format", value: format } },
		]);
		for (const sql of load.setUp) pair.write([requestOf(sql, [])]);
		let number = 0;
		const group = (): WriteRequest[] =>
			Array.from({ length: load.group }, () => {
				const { sql, values } = load.write(number++);
				return requestOf(sql, values);
			});
		// Code that has never run is not compiled yet.
		pair.during(seconds / 4, group);
		return pair.during(seconds, group);
	} finally {
		leader.close();
		follower.close();
		rmSync(directory, { recursive: true, force: true });
	}
}

interface Written {
	readonly bytes: number;
	readonly leaderMs: number;
	readonly followerMs: number;
}

interface Pair {
	write(requests: readonly WriteRequest[]): Written;
	during(seconds: number, group: () => WriteRequest[]): Figures;
}

const checkpointEveryBytes = 16 * 1024 * 1024;

function createPair(leader: Writer, follower: Writer): Pair {
	let index = 0;
	let sinceCheckpoint = 0;

	/** Outside the times: a node does it as well, in either format alike. */
	function checkpoint(bytes: number): void {
		sinceCheckpoint += bytes;
		if (sinceCheckpoint < checkpointEveryBytes) return;
		sinceCheckpoint = 0;
		for (const writer of [leader, follower]) writer.connection().exec("PRAGMA wal_checkpoint(TRUNCATE)");
	}

	function write(requests: readonly WriteRequest[]): Written {
		const from = performance.now();
		const outcomes = leader.execute(requests);
		const failed = outcomes.find(({ outcome }) => outcome.errors.some((error) => error !== null));
		if (failed !== undefined) throw new Error(JSON.stringify(failed.outcome.errors));
		const entries = outcomes.flatMap(({ payload }): AppliedEntry[] =>
			payload === null
				? []
				: [
						{
							position: { term: 1, index: ++index },
							kind: "command",
							// Copied, as the log does.
							payload: Uint8Array.from(payload),
							configuration: null,
						},
					],
		);
		leader.commit({ term: 1, index });
		const executed = performance.now();
		follower.apply(entries);
		const applied = performance.now();
		const bytes = entries.reduce((sum, { payload }) => sum + payload.length, 0);
		checkpoint(bytes + 4_096);
		return { bytes, leaderMs: executed - from, followerMs: applied - executed };
	}

	return {
		write,
		during(seconds, group) {
			const until = performance.now() + seconds * 1_000;
			let [requests, bytes, leaderMs, followerMs] = [0, 0, 0, 0];
			while (performance.now() < until) {
				const wanted = group();
				const written = write(wanted);
				requests += wanted.length;
				bytes += written.bytes;
				leaderMs += written.leaderMs;
				followerMs += written.followerMs;
			}
			return {
				bytes: bytes / requests,
				leaderMicroseconds: (leaderMs * 1_000) / requests,
				followerMicroseconds: (followerMs * 1_000) / requests,
			};
		},
	};
}

function requestOf(sql: string, values: readonly Value[]): WriteRequest {
	return {
		program: {
			steps: [
				{ condition: null, statement: { sql, arguments: values, namedArguments: [], wantRows: false } },
			],
		},
		foreignKeys: true,
		interactive: false,
		idempotencyKey: null,
		note: null,
		receivedAtMs: 0,
		timeoutMs: 60_000,
	};
}
