/**
 * Runs random SQL on three members: one leads and captures, one replays entry by entry, one replays in
 * runs. They are compared by digest and by contents, and SQLite looks at each file by itself.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { createLogFormats } from "../changes/formats.ts";
import { decodePayload, formatOf } from "../changes/payload.ts";
import type { AppliedEntry, WriteOutcome, WriteRequest } from "../database.ts";
import { digestDatabase } from "../digest.ts";
import { TransactionEnded } from "../execute-program.ts";
import { type LogFormat, logFormats } from "../log-format.ts";
import type { StatementFailure } from "../program.ts";
import { readSettingChange } from "../setting-change.ts";
import { defaultDatabaseSettings } from "../settings.ts";
import { createWriter, type Writer } from "../writer.ts";
import { contentsOf, differingPages, imageOf } from "./contents.ts";
import { applyReversed } from "./members.ts";
import type { RandomStatement } from "./random-sql.ts";

/** What went wrong; the statements before it are the caller's to know. */
export interface Failure {
	readonly kind: "differs" | "threw";
	readonly detail: string;
	/** How many of the statements had been run. */
	readonly statements: number;
}

export interface Outcome {
	readonly failure: Failure | null;
	readonly statements: number;
	/** Statements that failed, on the leader as they would have in SQLite. */
	readonly errors: ReadonlyMap<string, number>;
	readonly payloads: number;
	/** Writes of which the log holds the SQL, not the rows. */
	readonly loggedStatements: number;
}

/** Mixed: another format every few groups, so that the log holds all. */
export const formatPlans = [...logFormats, "mixed"] as const;
export type FormatPlan = (typeof formatPlans)[number];

interface Member {
	readonly path: string;
	readonly writer: Writer;
	/** Sees what is committed. */
	readonly reader: DatabaseSync;
	/** Entries that it has not applied yet. */
	readonly waiting: AppliedEntry[];
}

interface Run {
	readonly members: readonly Member[];
	readonly errors: Map<string, number>;
	index: number;
	payloads: number;
	loggedStatements: number;
	leader: number;
	readonly plan: FormatPlan;
	format: LogFormat;
}

/** Stops at the first failure, at the end of the statements, or when `stop` says so (asked between groups). */
export function runRandomSql(
	statements: Iterable<RandomStatement>,
	plan: FormatPlan,
	stop: () => boolean = () => false,
): Outcome {
	const directory = mkdtempSync(join(tmpdir(), "skein-random-sql-"));
	const members = ["a", "b", "c"].map((name) => openMember(join(directory, name)));
	const counters = { index: 0, payloads: 0, loggedStatements: 0, leader: -1 };
	const run: Run = { members, errors: new Map(), plan, format: "row", ...counters };
	let count = 0;
	const end = (failure: Failure | null): Outcome => ({
		failure,
		statements: count,
		errors: run.errors,
		payloads: run.payloads,
		loggedStatements: run.loggedStatements,
	});
	try {
		for (const group of groupsOf(statements)) {
			count += group.length;
			const detail = runGroup(run, group);
			if (detail !== null) return end({ kind: "differs", detail, statements: count });
			if (stop()) break;
		}
		const detail = catchUp(run);
		return end(detail === null ? null : { kind: "differs", detail, statements: count });
	} catch (error) {
		const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
		return end({ kind: "threw", detail, statements: count });
	} finally {
		for (const { writer, reader } of members) {
			reader.close();
			closeQuietly(writer);
		}
		rmSync(directory, { recursive: true, force: true });
	}
}

function openMember(path: string): Member {
	const writer = createWriter({
		path,
		formats: createLogFormats(),
		settings: defaultDatabaseSettings,
		now: () => performance.now(),
	});
	return { path, writer, reader: new DatabaseSync(path, { readOnly: true }), waiting: [] };
}

/** After a failure it may be in any state. */
function closeQuietly(writer: Writer): void {
	try {
		writer.close();
	} catch {
		// The failure that was found is told; this is its echo.
	}
}

function* groupsOf(statements: Iterable<RandomStatement>): Generator<readonly RandomStatement[]> {
	let group: RandomStatement[] = [];
	for (const statement of statements) {
		if (group.length > 0 && group[0]?.group !== statement.group) {
			yield group;
			group = [];
		}
		group.push(statement);
	}
	if (group.length > 0) yield group;
}

/** What differs afterwards, or null. */
function runGroup(run: Run, group: readonly RandomStatement[]): string | null {
	const [first] = group;
	if (first === undefined) return null;
	if (first.leader !== run.leader) {
		const detail = catchUp(run);
		if (detail !== null) return detail;
		run.leader = first.leader;
		memberAt(run, first.leader).writer.prepareToLead();
	}
	const leader = memberAt(run, run.leader);
	changeFormat(run, leader, first.group);
	for (const batch of batchesOf(group)) {
		if (batch[0]?.[0]?.interactive === true) runInteractive(run, leader, batch.flat());
		else runBatch(run, leader, batch.map(requestOf));
	}
	const prompt = memberAt(run, run.leader + 1);
	applyWaiting(prompt);
	if (first.group % 3 === 0) return catchUp(run);
	return compareDigests(leader, prompt);
}

const groupsOfAFormat = 7;

function changeFormat(run: Run, leader: Member, group: number): void {
	const place = Math.floor(group / groupsOfAFormat) % logFormats.length;
	const wanted = run.plan === "mixed" ? (logFormats[place] ?? "row") : run.plan;
	if (wanted === run.format) return;
	run.format = wanted;
	runBatch(run, leader, [{ ...requestOf([]), setting: { name: "format", value: wanted } }]);
}

/** As the node's queue does it: requests that must be alone are, all others of a group go together. */
function batchesOf(group: readonly RandomStatement[]): (readonly RandomStatement[])[][] {
	const batches: (readonly RandomStatement[])[][] = [];
	let open: (readonly RandomStatement[])[] | null = null;
	const requests = new Set(group.map(({ request }) => request));
	for (const number of requests) {
		const request = group.filter((statement) => statement.request === number);
		const alone = request.some(({ sql, interactive }) => interactive || sql.includes("foreign_keys"));
		if (open === null || alone) batches.push((open = [request]));
		else open.push(request);
		if (alone) open = null;
	}
	return batches;
}

function requestOf(statements: readonly RandomStatement[]): WriteRequest {
	const { request = 0, interactive = false, idempotent = false } = statements[0] ?? {};
	const steps = statements.map(({ sql }) => ({
		condition: null,
		statement: { sql, arguments: [], namedArguments: [], wantRows: true },
	}));
	return {
		program: { steps },
		foreignKeys: true,
		interactive,
		idempotencyKey: idempotent ? `request ${request}` : null,
		note: null,
		receivedAtMs: request,
		timeoutMs: 20_000,
	};
}

function runBatch(run: Run, leader: Member, requests: readonly WriteRequest[]): void {
	const outcomes = execute(run, leader, requests);
	if (outcomes !== null) commit(run, leader, outcomes);
}

/** Statement by statement; what is not inside a transaction commits at once. */
function runInteractive(run: Run, leader: Member, statements: readonly RandomStatement[]): void {
	let open = false;
	let foreignKeys = true;
	for (const statement of statements) {
		const outcomes = execute(run, leader, [{ ...requestOf([statement]), foreignKeys }]);
		const last = outcomes?.at(-1)?.outcome;
		open = last?.autocommit === false;
		// The stream's setting stays with it.
		foreignKeys = last?.foreignKeys ?? foreignKeys;
		if (outcomes !== null && !open) commit(run, leader, outcomes);
	}
	if (!open) return;
	leader.writer.abandonInteractive();
	leader.writer.rollback();
}

/** Null: SQLite rolled everything back (the last rowid was taken), and so did the leader. */
function execute(run: Run, leader: Member, requests: readonly WriteRequest[]): WriteOutcome[] | null {
	try {
		const outcomes = leader.writer.execute(requests);
		for (const { outcome } of outcomes)
			for (const error of outcome.errors) if (error !== null) countError(run, error);
		return outcomes;
	} catch (error) {
		if (!(error instanceof TransactionEnded) || error.code !== "DISK_FULL") throw error;
		leader.writer.rollback();
		countError(run, { code: error.code, message: "everything was rolled back", extendedCode: undefined });
		return null;
	}
}

function countError(run: Run, { code, message, extendedCode }: StatementFailure): void {
	const name = extendedCode ?? `${code}: ${message.replace(/[:"[(].*|\d+.*/s, "")}`;
	run.errors.set(name, (run.errors.get(name) ?? 0) + 1);
}

function commit(run: Run, leader: Member, outcomes: readonly WriteOutcome[]): void {
	const payloads = outcomes.flatMap(({ payload }) => (payload === null ? [] : [payload]));
	if (payloads.length === 0) return leader.writer.rollback();
	for (const payload of payloads) {
		run.payloads++;
		if (readSettingChange(payload) === null && formatOf(payload) === "statement") {
			const parts = decodePayload(payload);
			run.loggedStatements += parts.filter(({ type }) => type === "statement").length;
		}
		// Copied, as the network would: what the leader does with its own must not matter.
		const entry: AppliedEntry = {
			position: { index: ++run.index, term: 1 },
			kind: "command",
			payload: Uint8Array.from(payload),
			configuration: null,
		};
		for (const member of run.members) if (member !== leader) member.waiting.push(entry);
	}
	leader.writer.commit({ index: run.index, term: 1 });
}

function memberAt({ members }: Run, place: number): Member {
	const member = members[place % members.length];
	if (member === undefined) throw new RangeError("no such member");
	return member;
}

function applyWaiting({ writer, waiting }: Member): void {
	if (waiting.length > 0) applyReversed(writer, waiting.splice(0));
}

/** All members have all entries; then everything about them is compared. */
function catchUp(run: Run): string | null {
	for (const member of run.members) applyWaiting(member);
	const [first, ...others] = run.members;
	if (first === undefined) return null;
	const contents = contentsOf(first.path);
	const integrity = first.reader.prepare("PRAGMA integrity_check").all();
	for (const other of others) {
		const detail = compareDigests(first, other) ?? compareBytes(run, first, other);
		if (detail !== null) return detail;
		if (!isDeepStrictEqual(contentsOf(other.path), contents))
			return `the digests are the same, and yet: ${describeDifference(first, other)}`;
		const theirs = other.reader.prepare("PRAGMA integrity_check").all();
		if (!isDeepStrictEqual(theirs, integrity))
			return `integrity_check: ${JSON.stringify(integrity)} on one member, ${JSON.stringify(theirs)} on the other`;
	}
	return null;
}

/** In the format wal there is nothing that may differ. */
function compareBytes({ format }: Run, one: Member, other: Member): string | null {
	if (format !== "wal") return null;
	const detail = differingPages(imageOf(one.path), imageOf(other.path));
	return detail === null ? null : `the contents are the same, and yet ${detail}`;
}

function compareDigests(one: Member, other: Member): string | null {
	const [a, b] = [digestDatabase(one.reader), digestDatabase(other.reader)];
	return a.sha256 === b.sha256 ? null : describeDifference(one, other);
}

function describeDifference(one: Member, other: Member): string {
	const [a, b] = [digestDatabase(one.reader), digestDatabase(other.reader)];
	const differing = [...a.tables, ...b.tables]
		.filter(({ name }) => find(a, name)?.sha256 !== find(b, name)?.sha256)
		.map(({ name }) => name);
	const [contents, theirs] = [contentsOf(one.path), contentsOf(other.path)];
	const lines = [...new Set([...differing, ...Object.keys(contents), ...Object.keys(theirs)])].flatMap(
		(name) => {
			const [mine, yours] = [contents[name], theirs[name]].map(linesOf);
			const gone = mine?.filter((line) => yours?.includes(line) !== true) ?? [];
			const come = yours?.filter((line) => mine?.includes(line) !== true) ?? [];
			if (gone.length + come.length === 0) return [];
			return [
				`in ${name}:`,
				...gone.slice(0, 5).map((line) => `  - ${line}`),
				...come.slice(0, 5).map((line) => `  + ${line}`),
			];
		},
	);
	return [`members differ (by digest: ${[...new Set(differing)].join(", ") || "the schema"})`, ...lines].join(
		"\n",
	);
}

function find(digest: ReturnType<typeof digestDatabase>, name: string) {
	return digest.tables.find((table) => table.name === name);
}

function linesOf(rows: unknown): string[] {
	if (!Array.isArray(rows)) return [];
	return rows.map((row) =>
		JSON.stringify(row, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
	);
}
