// The database on its real threads: long reads, time limits, snapshots, checkpoints, a process that is killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SkeinError } from "../../../client/src/errors.ts";
import type { Configuration } from "../consensus/types.ts";
import { databaseFileName } from "./connection.ts";
import type { WriteRequest } from "./database.ts";
import type { Program, ProgramOutcome, Value } from "./program.ts";
import { finishReplacing } from "./replace-file.ts";
import type { DatabaseSettings } from "./settings.ts";
import { openDatabase, type ThreadedDatabase } from "./threaded-database.ts";

const limitMs = 20_000;
const configuration: Configuration = {
	members: [],
	voters: ["n1"],
	outgoingVoters: [],
	learners: [],
	joining: [],
	retired: [],
};

let directory: string;
let databases: ThreadedDatabase[];
let index: number;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "skein-database-"));
	databases = [];
	index = 0;
});

afterEach(async () => {
	await Promise.all(databases.map((database) => database.close()));
	rmSync(directory, { recursive: true, force: true });
});

async function open(settings: Partial<DatabaseSettings> = {}, where = directory): Promise<ThreadedDatabase> {
	const onFailure = (error: Error): void => {
		throw error;
	};
	const database = await openDatabase({ directory: where, settings, onFailure });
	databases.push(database);
	return database;
}

/** A leader that holds a configuration, at index 1. */
async function openLeader(
	settings: Partial<DatabaseSettings> = {},
	where = directory,
): Promise<ThreadedDatabase> {
	const database = await open(settings, where);
	index = 1;
	await database.apply([
		{ position: { index, term: 1 }, kind: "configuration", payload: new Uint8Array(), configuration },
	]);
	await database.prepareToLead();
	return database;
}

function program(...statements: readonly string[]): Program {
	return {
		steps: statements.map((sql) => ({
			condition: null,
			statement: { sql, arguments: [], namedArguments: [], wantRows: true },
		})),
	};
}

function request(...statements: readonly string[]): WriteRequest {
	return {
		program: program(...statements),
		foreignKeys: true,
		interactive: false,
		idempotencyKey: null,
		note: null,
		receivedAtMs: 0,
		timeoutMs: limitMs,
	};
}

async function write(database: ThreadedDatabase, ...statements: readonly string[]): Promise<void> {
	const [done] = await database.execute([request(...statements)]);
	for (const error of done?.outcome.errors ?? []) if (error !== null) throw new Error(error.message);
	await database.commit({ index: ++index, term: 1 });
}

async function rows(database: Pick<ThreadedDatabase, "read">, sql: string): Promise<Value[][]> {
	return rowsOf((await database.read(program(sql), { timeoutMs: limitMs })).outcome);
}

function rowsOf(outcome: ProgramOutcome): Value[][] {
	for (const error of outcome.errors) if (error !== null) throw new Error(error.message);
	return (outcome.results.at(-1)?.rows ?? []).map((row) => [...row]);
}

/** Keeps a thread busy for about as long, on any machine. */
function longRead(rowsCounted: number): Program {
	return program(
		`with recursive c(x) as (values(1) union all select x + 1 from c limit ${rowsCounted}) select count(*) from c`,
	);
}

let rowsASecond: number | null = null;
function rowsFor(seconds: number): number {
	if (rowsASecond === null) {
		const database = new DatabaseSync(":memory:");
		const startedAt = performance.now();
		const [step] = longRead(300_000).steps;
		database.prepare(step?.statement.sql ?? "").all();
		rowsASecond = (300_000 / (performance.now() - startedAt)) * 1_000;
		database.close();
	}
	return Math.round(rowsASecond * seconds);
}

async function codeOf(work: Promise<unknown>): Promise<string | null> {
	const error: unknown = await work.then(
		() => null,
		(reason: unknown) => reason,
	);
	if (error === null) return null;
	// Whatever reaches a client must be one of these, or it becomes INTERNAL.
	expect(error).toBeInstanceOf(SkeinError);
	return error instanceof SkeinError ? error.code : "";
}

test("a long read does not delay others", async () => {
	const database = await openLeader();
	await write(database, "create table t (id integer primary key)");
	const long = database.read(longRead(rowsFor(2)), { timeoutMs: limitMs });
	let longEnded = false;
	void long.then(() => {
		longEnded = true;
	});
	for (let number = 0; number < 30; number++) await rows(database, "select count(*) from t");
	expect(longEnded).toBe(false);
	// Also what came in one message with it.
	const together = [rows(database, "select 1"), rows(database, "select 2"), rows(database, "select 3")];
	expect(await Promise.all(together)).toEqual([[[1n]], [[2n]], [[3n]]]);
	expect(longEnded).toBe(false);
	await write(database, "insert into t values (1)");
	expect(longEnded).toBe(false);
	expect(rowsOf((await long).outcome)[0]?.[0]).toBe(BigInt(rowsFor(2)));
});

test("a read beyond its time is given up, its reader replaced, and too many of them are OVERLOADED", async () => {
	const database = await open({ readers: 1, maxAbandonedReaders: 1 });
	const long = (): Promise<unknown> => database.read(longRead(rowsFor(2)), { timeoutMs: 50 });
	expect(await rows(database, "select 1")).toEqual([[1n]]);
	expect(await codeOf(long())).toBe("TIMEOUT");
	expect(database.stuckThreads()).toBe(1);
	expect(await rows(database, "select 1")).toEqual([[1n]]);
	expect(await codeOf(long())).toBe("TIMEOUT");
	expect(await codeOf(rows(database, "select 1"))).toBe("OVERLOADED");
	await expect.poll(() => codeOf(rows(database, "select 1")), { timeout: 20_000, interval: 200 }).toBeNull();
	await expect.poll(() => database.stuckThreads(), { timeout: 20_000 }).toBe(0);
});

test("what a reader refuses and cannot do reaches the client with its code", async () => {
	const database = await openLeader();
	await write(database, "create table t (id integer primary key)");
	const { outcome } = await database.read(program("insert into t values (1)", "select 1"), {
		timeoutMs: limitMs,
	});
	expect(outcome.errors.map((error) => error?.code ?? null)).toEqual(["SQLITE_READONLY", null]);
	expect(await codeOf(database.describe("select nothing from nowhere"))).toBe("SQLITE_ERROR");
	expect(await codeOf(database.describe("vacuum"))).toBe("UNSUPPORTED_SQL");
	expect(await codeOf(database.describe("select 1; select 2"))).toBe("SQL_MANY_STATEMENTS");
	expect(await database.describe("pragma busy_timeout = 5000")).toMatchObject({ isReadonly: true });
	expect(await database.describe("select id as a, :x from t")).toEqual({
		parameters: [{ name: ":x" }],
		columns: [
			{ name: "a", declaredType: "INTEGER" },
			{ name: ":x", declaredType: null },
		],
		isExplain: false,
		isReadonly: true,
	});
});

test("a read says exactly which state it saw, whatever is committed while it runs", async () => {
	const database = await openLeader();
	await write(database, "create table t (id integer primary key)");
	const first = index;
	const [long] = longRead(rowsFor(0.02)).steps;
	const slowly = {
		steps: [...program("select count(*) from t").steps, ...(long === undefined ? [] : [long])],
	};
	for (let number = 0; number < 10; number++) {
		const reads = [slowly, program("select count(*) from t")].map((one) =>
			database.read(one, { timeoutMs: limitMs }),
		);
		await database.execute([request("insert into t default values")]);
		// Readers see it at once; this promise tells of it with the answer of the next call.
		const committed = database.commit({ index: ++index, term: 1 });
		reads.push(database.read(slowly, { timeoutMs: limitMs }));
		for (const { outcome, applied } of await Promise.all(reads)) {
			const seen = Number(outcome.results[0]?.rows[0]?.[0]);
			expect(applied).toEqual({ term: 1, index: first + seen });
		}
		database.hurry();
		await committed;
	}
});

test("readers see a schema change", async () => {
	const database = await openLeader();
	await write(database, "create table t (a)", "insert into t values (1)");
	expect(await rows(database, "select * from t")).toEqual([[1n]]);
	await write(database, "alter table t add column b default 2");
	const { outcome } = await database.read(program("select * from t"), { timeoutMs: limitMs });
	expect(outcome.results[0]?.columns.map(({ name }) => name)).toEqual(["a", "b"]);
	const described = async (): Promise<string[]> =>
		(await database.describe("select * from t")).columns.map(({ name }) => name);
	expect(await described()).toEqual(["a", "b"]);
	await write(database, "alter table t add column c");
	expect(await described()).toEqual(["a", "b", "c"]);
	const snapshot = await database.beginRead({ timeoutMs: limitMs });
	await write(database, "alter table t drop column a");
	expect(await described()).toEqual(["b", "c"]);
	const held = await snapshot.describe("select * from t", { timeoutMs: limitMs });
	expect(held.columns.map(({ name }) => name)).toEqual(["a", "b", "c"]);
	await snapshot.close();
	await write(database, "drop table t");
	expect(await codeOf(described())).toBe("SQLITE_ERROR");
	expect(rowsOf(outcome)).toEqual([[1n, 2n]]);
});

test("read transactions hold their state, are bounded in number and in time", async () => {
	const database = await openLeader({ maxReadTransactions: 3 });
	await write(database, "create table t (id integer primary key)");
	const first = await database.beginRead({ timeoutMs: limitMs });
	await write(database, "insert into t values (1)");
	const second = await database.beginRead({ timeoutMs: limitMs });
	const count = program("select count(*) from t");
	expect(rowsOf(await first.run(count, { timeoutMs: limitMs }))).toEqual([[0n]]);
	expect(rowsOf(await second.run(count, { timeoutMs: limitMs }))).toEqual([[1n]]);
	expect([first.applied.index, second.applied.index]).toEqual([2, 3]);
	expect((await second.run(program("begin", "select 1", "commit"), { timeoutMs: limitMs })).autocommit).toBe(
		true,
	);
	const third = await database.beginRead({ timeoutMs: limitMs });
	expect(await codeOf(database.beginRead({ timeoutMs: limitMs }))).toBe("OVERLOADED");
	expect(await codeOf(third.run(longRead(rowsFor(1)), { timeoutMs: 50 }))).toBe("TIMEOUT");
	for (const transaction of [first, second, third, third]) await transaction.close();
	const again = await database.beginRead({ timeoutMs: limitMs });
	expect(rowsOf(await again.run(count, { timeoutMs: limitMs }))).toEqual([[1n]]);
	await again.close();
	await expect.poll(() => database.stuckThreads(), { timeout: 20_000 }).toBe(0);
});

test("a snapshot that is made while writes go on holds one state, and says which", async () => {
	const database = await openLeader();
	await write(database, "create table t (id integer primary key, x)");
	await write(
		database,
		"with recursive c(x) as (values(1) union all select x + 1 from c limit 20000) insert into t select x, hex(randomblob(50)) from c",
	);
	const making = database.createSnapshot();
	let made = false;
	void making.then(() => {
		made = true;
	});
	let written = 0;
	while (!made && written < 2_000) {
		await write(database, `insert into t (x) values (${written})`);
		written++;
	}
	const snapshot = await making;
	expect(written).toBeGreaterThan(0);
	expect(snapshot.configuration).toEqual({ index: 1, value: configuration });
	const copy = new DatabaseSync(join(directory, snapshot.path), { readOnly: true });
	try {
		expect(copy.prepare("pragma integrity_check").get()).toEqual({ integrity_check: "ok" });
		// One row a write, so the count says which state it is.
		const count = Number(copy.prepare("select count(*) as number from t").get()?.["number"]);
		expect(snapshot.applied).toEqual({ index: count - 20_000 + 3, term: 1 });
	} finally {
		copy.close();
	}
});

test("installing a snapshot: readers move, what they ran runs again, open transactions keep the old state", async () => {
	const source = mkdtempSync(join(tmpdir(), "skein-source-"));
	try {
		const leader = await openLeader({}, source);
		await write(leader, "create table t (x)");
		await write(leader, "insert into t values ('new')");
		const snapshot = await leader.createSnapshot();

		const database = await openLeader();
		await write(database, "create table t (x)");
		await write(database, "insert into t values ('old'), ('old')");
		renameSync(join(source, snapshot.path), join(directory, "received"));
		await expect(database.installSnapshot("received", "00")).rejects.toThrow("hash");
		expect(await rows(database, "select count(*) from t")).toEqual([[2n]]);

		const transaction = await database.beginRead({ timeoutMs: limitMs });
		const running = database.read(longRead(rowsFor(0.3)), { timeoutMs: limitMs });
		const installing = database.installSnapshot("received", snapshot.sha256);
		const during: Promise<unknown>[] = [];
		for (let number = 0; number < 40; number++) {
			during.push(rows(database, "select count(*) from t"), database.describe("select 1"));
			during.push(database.beginRead({ timeoutMs: limitMs }).then((begun) => begun.close()));
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
		expect(await installing).toEqual({
			applied: { index: 3, term: 1 },
			configuration: { index: 1, value: configuration },
			acknowledgement: null,
		});
		await Promise.all(during);
		expect(rowsOf((await running).outcome)[0]?.[0]).toBe(BigInt(rowsFor(0.3)));
		expect(await rows(database, "select x from t")).toEqual([["new"]]);
		const old = await transaction.run(program("select count(*) from t"), { timeoutMs: limitMs });
		expect(rowsOf(old)).toEqual([[2n]]);
		await transaction.close();
		const fresh = await database.beginRead({ timeoutMs: limitMs });
		expect(fresh.applied.index).toBe(3);
		await fresh.close();
		await database.prepareToLead();
		await write(database, "insert into t values ('newer')");
		expect(await rows(database, "select count(*) from t")).toEqual([[2n]]);
		expect(existsSync(join(directory, "received"))).toBe(false);
	} finally {
		rmSync(source, { recursive: true, force: true });
	}
});

test("a checkpoint tells what is durable, and claims nothing that a reader holds back", async () => {
	const database = await openLeader();
	await write(database, "create table t (x)");
	expect(await database.checkpoint()).toBe(2);
	const transaction = await database.beginRead({ timeoutMs: limitMs });
	await write(database, "insert into t values (1)");
	expect(await database.checkpoint()).toBe(2);
	await transaction.close();
	expect(await database.checkpoint()).toBe(3);
	// Inside a transaction it fails, and harms nothing.
	await database.execute([request("insert into t values (2)")]);
	await expect(database.checkpoint()).rejects.toThrow("locked");
	await database.commit({ index: ++index, term: 1 });
	expect(await database.checkpoint()).toBe(4);
	// The main file alone holds it: what is durable does not need the write-ahead file.
	const copy = join(directory, "copy.sqlite");
	writeFileSync(copy, readFileSync(join(directory, databaseFileName)));
	const alone = new DatabaseSync(copy);
	expect(alone.prepare("select applied_index from skein_state").get()).toEqual({ applied_index: 4 });
	expect(alone.prepare("select count(*) as number from t").get()).toEqual({ number: 2 });
	alone.close();
});

test("SQLite's write-ahead file does not grow for ever under constant writes and reads", async () => {
	const database = await openLeader();
	await write(database, "create table t (id integer primary key, x)");
	const reading = { on: true };
	const readers = [1, 2].map(async () => {
		while (reading.on) await rows(database, "select count(*) from t");
	});
	let largest = 0;
	for (let number = 0; number < 300; number++) {
		await write(database, `insert or replace into t values (${number % 10}, zeroblob(100000))`);
		if (number % 20 === 19) {
			await database.checkpoint();
			largest = Math.max(largest, statSync(join(directory, `${databaseFileName}-wal`)).size);
		}
	}
	reading.on = false;
	await Promise.all(readers);
	// 30 MB were written; between two checkpoints 2 MB.
	expect(largest).toBeLessThan(12_000_000);
});

test("a crash between the steps of a replacement leaves the old database or the new one", async () => {
	const path = join(directory, databaseFileName);
	const make = (target: string, text: string): void => {
		const database = new DatabaseSync(target);
		database.exec("pragma journal_mode = wal; create table t (x); pragma wal_checkpoint(truncate)");
		database.exec(`insert into t values ('${text}')`);
		// As a crash leaves it: the row is in the write-ahead file only.
		for (const suffix of ["", "-wal", "-shm"])
			writeFileSync(`${target}${suffix}.kept`, readFileSync(`${target}${suffix}`));
		database.close();
		for (const suffix of ["", "-wal", "-shm"]) renameSync(`${target}${suffix}.kept`, `${target}${suffix}`);
	};
	const content = (): unknown => {
		finishReplacing(path);
		const database = new DatabaseSync(path);
		try {
			expect(database.prepare("pragma integrity_check").get()).toEqual({ integrity_check: "ok" });
			return database
				.prepare("select x from t")
				.all()
				.map((row) => row["x"]);
		} finally {
			database.close();
		}
	};
	const snapshot = join(directory, "snapshot");
	const whole = new DatabaseSync(snapshot);
	whole.exec("create table t (x); insert into t values ('new')");
	whole.close();
	const bytes = readFileSync(snapshot);
	const steps: readonly { readonly done: () => void; readonly expected: string }[] = [
		{ done: () => {}, expected: "old" },
		{ done: () => writeFileSync(`${path}.install`, bytes), expected: "new" },
		{ done: () => rmSync(`${path}-wal`), expected: "new" },
		{ done: () => rmSync(`${path}-shm`), expected: "new" },
		{ done: () => renameSync(`${path}.install`, path), expected: "new" },
	];
	for (let crashAfter = 0; crashAfter < steps.length; crashAfter++) {
		for (const suffix of ["", "-wal", "-shm", ".install"]) rmSync(path + suffix, { force: true });
		make(path, "old");
		for (const step of steps.slice(0, crashAfter + 1)) step.done();
		expect(content()).toEqual([steps[crashAfter]?.expected]);
	}
});

test("killed in the middle, the applied index and the rows belong together", async () => {
	const child = `
import { openDatabase } from ${JSON.stringify(new URL("./threaded-database.ts", import.meta.url).href)};
const database = await openDatabase({ directory: process.argv[2], onFailure: (error) => { throw error; } });
await database.prepareToLead();
let index = database.opened.applied.index;
const request = (sql) => ({
	program: { steps: [{ condition: null, statement: { sql, arguments: [], namedArguments: [], wantRows: false } }] },
	foreignKeys: true, interactive: false, idempotencyKey: null, note: null, receivedAtMs: 0, timeoutMs: 10000,
});
if (index === 0) {
	await database.execute([request("create table t (id integer primary key, x)")]);
	await database.commit({ index: ++index, term: 1 });
}
for (;;) {
	const id = index + 1;
	await database.execute([request(\`insert into t values (\${id}, zeroblob(2000))\`), request(\`insert into t values (-\${id}, 0)\`)]);
	const committing = database.commit({ index: ++index, term: 1 });
	if (index % 50 === 0) void database.checkpoint();
	await committing;
	console.log(index);
}`;
	const file = join(directory, "child.mjs");
	writeFileSync(file, child);
	let last = 0;
	for (let round = 0; round < 4; round++) {
		const started = spawn(process.execPath, [file, directory], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		let seen = 0;
		started.stdout.on("data", (chunk: Buffer) => {
			seen = Number(chunk.toString().trim().split("\n").at(-1));
		});
		await expect.poll(() => seen, { timeout: 20_000, interval: 5 }).toBeGreaterThan(last + 20 + round * 37);
		started.kill("SIGKILL");
		await once(started, "exit");
		const database = new DatabaseSync(join(directory, databaseFileName));
		const applied = Number(
			database.prepare("select applied_index from skein_state").get()?.["applied_index"],
		);
		const found = database
			.prepare("select count(*) as number, max(id) as highest, min(id) as lowest from t")
			.get();
		expect(database.prepare("pragma integrity_check").get()).toEqual({ integrity_check: "ok" });
		database.close();
		// One pair of rows for each index after the first; and what was answered before the kill is there.
		expect(found).toEqual({ number: (applied - 1) * 2, highest: applied, lowest: -applied });
		expect(applied).toBeGreaterThanOrEqual(seen);
		last = applied;
	}
});
