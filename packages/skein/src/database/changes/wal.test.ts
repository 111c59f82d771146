// The log format wal: members' databases are the same byte for byte, whatever SQL ran, whoever led, also with readers open.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { Configuration } from "../../consensus/types.ts";
import { openGate } from "../begin-gate.ts";
import type { AppliedEntry, WriteRequest } from "../database.ts";
import { readState } from "../own-tables.ts";
import { makeExact, pinState } from "../snapshot-copy.ts";
import { differingPages, imageOf } from "../testing/contents.ts";
import {
	commitGroup,
	formatRequest,
	type Members,
	openWriter,
	requestOf,
	withMembers,
} from "../testing/members.ts";
import type { TransactionNote } from "../transaction-note.ts";
import type { Writer } from "../writer.ts";
import { notedTransaction } from "./noted-transaction.ts";

function member({ writers }: Members, name: string): Writer {
	const writer = writers[name];
	if (writer === undefined) throw new Error(`no member ${name}`);
	return writer;
}

function expectSameBytes({ directory }: Members, ...names: readonly string[]): void {
	const [first, ...others] = ["a", "b", "c", ...names].map((name) => imageOf(join(directory, name)));
	if (first === undefined) throw new Error("no member");
	expect(first.length).toBeGreaterThan(4_096);
	for (const other of others) expect(differingPages(first, other)).toBeNull();
}

function write(members: Members, leader: string, ...sql: readonly string[]): void {
	const followers = ["a", "b", "c"].filter((name) => name !== leader);
	commitGroup(members, leader, followers, [requestOf(sql)]);
}

function chooseWal(members: Members, leader = "a"): void {
	commitGroup(
		members,
		leader,
		["a", "b", "c"].filter((name) => name !== leader),
		[formatRequest("wal")],
	);
}

/** Rows of table t, as a connection that was opened before sees them. */
function countIn(reader: DatabaseSync): number {
	return Number(reader.prepare("SELECT count(*) AS number FROM t").get()?.["number"]);
}

function openReader({ directory }: Members, name: string): DatabaseSync {
	return new DatabaseSync(join(directory, name), { readOnly: true });
}

function entry(members: Members, kind: "barrier" | "configuration", names: readonly string[]): AppliedEntry {
	return {
		position: { index: ++members.index, term: 2 },
		kind,
		payload: new Uint8Array(0),
		configuration: kind === "barrier" ? null : configurationOf(names),
	};
}

function configurationOf(names: readonly string[]): Configuration {
	const none: readonly string[] = [];
	return {
		members: names.map((id) => ({ id, kind: "voter" as const, peer: "127.0.0.1:1" })),
		voters: names,
		outgoingVoters: none,
		learners: none,
		joining: none,
		retired: none,
	};
}

test("members whose files differed are the same from the change to wal on, whoever leads", () => {
	withMembers((members) => {
		const { writers } = members;
		writers["a"]?.prepareToLead();
		write(members, "a", "create table t (id integer primary key, x)");
		for (let round = 0; round < 50; round++)
			write(members, "a", `insert into t (x) values (hex(randomblob(${round * 9})))`);
		const [a, b] = ["a", "b"].map((name) => imageOf(join(members.directory, name)));
		if (a === undefined || b === undefined) throw new Error("no member");
		expect(differingPages(a, b)).not.toBeNull();
		chooseWal(members);
		expectSameBytes(members);
		write(members, "a", "insert into t (x) values (random())", "create table u (y default (random()))");
		expectSameBytes(members);
		writers["b"]?.prepareToLead();
		write(members, "b", "insert into u default values", "delete from t where id < 20");
		write(members, "b", "drop table t", "create index i on u (y)");
		expectSameBytes(members);
	});
});

test("main files are the same too, once their write-ahead files are copied back", () => {
	withMembers((members) => {
		members.writers["a"]?.prepareToLead();
		chooseWal(members);
		write(members, "a", "create table t (x)", "insert into t values (randomblob(20000))");
		write(members, "a", "delete from t");
		const files = ["a", "b", "c"].map((name) => {
			const row = member(members, name).connection().prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
			expect(row?.["busy"]).toBe(0);
			return readFileSync(join(members.directory, name));
		});
		const [first, ...others] = files;
		for (const other of others) expect(other.equals(first ?? other)).toBe(true);
	});
});

test("barriers and configurations come out the same, one at a time or many at once", () => {
	withMembers((members) => {
		members.writers["a"]?.prepareToLead();
		write(members, "a", "create table t (x)");
		chooseWal(members);
		const entries = [
			entry(members, "barrier", []),
			entry(members, "configuration", ["n1", "n2", "n3", "n4", "n5"]),
			entry(members, "barrier", []),
			entry(members, "configuration", ["n1"]),
			entry(members, "barrier", []),
		];
		for (const one of entries) members.writers["b"]?.apply([one]);
		members.writers["c"]?.apply(entries);
		members.writers["a"]?.apply(entries.slice(0, 3));
		members.writers["a"]?.prepareToLead();
		const last = entries.at(-1);
		const chosen = entries[3];
		if (last === undefined || chosen?.configuration === undefined || chosen.configuration === null)
			throw new Error("no entry");
		members.writers["a"]?.commit(last.position, {
			index: chosen.position.index,
			value: chosen.configuration,
		});
		expectSameBytes(members);
		expect(member(members, "a").applied()).toEqual(last.position);
		// A start reads the configuration from the file.
		const again = afterKill(members, "b", "again");
		const next = entry(members, "barrier", []);
		again.apply([next]);
		for (const name of ["a", "b", "c"]) member(members, name).apply([next]);
		expectSameBytes(members, "again");
		again.close();
		members.writers["a"]?.prepareToLead();
		write(members, "a", "insert into t values (1)");
		expectSameBytes(members);
	});
});

test("a configuration is stored with all that it says of a member", () => {
	withMembers((members) => {
		members.writers["a"]?.prepareToLead();
		chooseWal(members);
		const { configuration } = entry(members, "configuration", ["n1", "n2"]);
		if (configuration === null) throw new Error("no configuration");
		const [first, second] = configuration.members;
		if (first === undefined || second === undefined) throw new Error("no member");
		const value: Configuration = {
			...configuration,
			members: [
				{ id: first.id, peer: first.peer, priority: "preferred" },
				{ id: second.id, peer: second.peer },
			],
		};
		const position = { index: members.index, term: 2 };
		const chosen: AppliedEntry = {
			position,
			kind: "configuration",
			payload: new Uint8Array(0),
			configuration: value,
		};
		for (const writer of Object.values(members.writers)) {
			writer.apply([chosen]);
			expect(readState(writer.connection()).configuration).toEqual({ index: position.index, value });
		}
		expectSameBytes(members);
		// Through the change of the format too, which copies the state.
		member(members, "b").prepareToLead();
		chooseWal(members, "b");
		write(members, "b", "create table t (x)");
		expect(readState(member(members, "a").connection()).configuration?.value).toEqual(value);
		expectSameBytes(members);
	});
});

test("readers keep the state that they hold, and see a transaction when it is committed, not when it is captured", () => {
	withMembers((members) => {
		members.writers["a"]?.prepareToLead();
		write(members, "a", "create table t (x)", "insert into t values (1)");
		chooseWal(members);
		const [held, free, follower] = ["a", "a", "b"].map((name) => openReader(members, name));
		if (held === undefined || free === undefined || follower === undefined) throw new Error("no reader");
		held.exec("BEGIN");
		expect([held, free, follower].map(countIn)).toEqual([1, 1, 1]);
		const [outcome] = member(members, "a").execute([requestOf(["insert into t values (2)"])]);
		expect([held, free].map(countIn)).toEqual([1, 1]);
		members.index++;
		const position = { index: members.index, term: 1 };
		member(members, "a").commit(position);
		expect([held, free].map(countIn)).toEqual([1, 2]);
		const applied = { position, kind: "command", configuration: null } as const;
		member(members, "b").apply([{ ...applied, payload: outcome?.payload ?? new Uint8Array(0) }]);
		expect(countIn(follower)).toBe(2);
		for (let round = 0; round < 40; round++) write(members, "a", "insert into t values (randomblob(9000))");
		expect([held, free, follower].map(countIn)).toEqual([1, 42, 42]);
		for (const one of [held, free, follower]) one.close();
	});
});

test("what was captured and is rolled back was never there, whatever came of it in the schema", () => {
	withMembers((members) => {
		const a = member(members, "a");
		a.prepareToLead();
		write(members, "a", "create table t (x)", "insert into t values (1)");
		chooseWal(members);
		const before = imageOf(join(members.directory, "a"));
		const lost = ["create table lost (y)", "insert into lost values (1)", "update t set x = 2"];
		expect(a.execute([requestOf(lost)])[0]?.payload).not.toBeNull();
		a.rollbackGroup();
		expect(differingPages(imageOf(join(members.directory, "a")), before)).toBeNull();
		// Another schema under the same number: what the connection remembers of the lost one must not count.
		write(members, "a", "create table other (a, b, c)", "insert into other values (1, 2, 3)");
		write(members, "a", "create table lost (z primary key) without rowid", "insert into lost values (7)");
		expect(a.connection().prepare("SELECT * FROM lost").all()).toEqual([{ z: 7 }]);
		expectSameBytes(members);
	});
});

test("virtual tables on the leader's connection forget what was taken back", () => {
	withMembers((members) => {
		const a = member(members, "a");
		a.prepareToLead();
		write(members, "a", "create virtual table f using fts5 (x)", "create virtual table g using fts4 (x)");
		write(members, "a", "create virtual table r using rtree (id, low, high)");
		chooseWal(members);
		const fill = (word: string, from: number): string[] =>
			Array.from({ length: 60 }, (_, at) => [
				`insert into f (rowid, x) values (${from + at}, '${word} ${at}')`,
				`insert into g (rowid, x) values (${from + at}, '${word} ${at}')`,
				`insert into r values (${from + at}, ${at}, ${at + 1})`,
			]).flat();
		write(members, "a", ...fill("first", 1));
		expect(a.execute([requestOf(fill("lost", 101))])[0]?.payload).not.toBeNull();
		a.rollbackGroup();
		write(members, "a", ...fill("second", 201), "insert into f (f) values ('optimize')");
		const connection = a.connection();
		for (const [word, count] of [
			["first", 60],
			["lost", 0],
			["second", 60],
		])
			for (const table of ["f", "g"]) {
				const sql = `SELECT count(*) AS number FROM ${table} WHERE ${table} MATCH '${word}'`;
				expect(connection.prepare(sql).get()?.["number"]).toBe(count);
			}
		expect(connection.prepare("SELECT count(*) AS number FROM r WHERE low < 9").get()?.["number"]).toBe(18);
		connection.exec(
			"INSERT INTO f (f) VALUES ('integrity-check'); INSERT INTO g (g) VALUES ('integrity-check')",
		);
		expect(connection.prepare("SELECT rtreecheck('r') AS verdict").get()?.["verdict"]).toBe("ok");
	});
});

test("a write-ahead file that was copied back begins anew, whoever writes first", () => {
	withMembers((members) => {
		members.writers["a"]?.prepareToLead();
		write(members, "a", "create table t (x)");
		chooseWal(members);
		for (let round = 0; round < 12; round++) {
			write(members, "a", `insert into t values (randomblob(${2_000 * round}))`);
			for (const name of ["a", "b", "c"]) {
				// Passive, as Skein does it.
				if (round % 3 !== 2) member(members, name).connection().exec("PRAGMA wal_checkpoint(PASSIVE)");
			}
			expectSameBytes(members);
		}
		const frames = readFileSync(join(members.directory, "b-wal")).length / 4_120;
		expect(frames).toBeLessThan(30);
	});
});

test("thousands of pages in one transaction, and thousands of transactions, more than a block of SQLite's index holds", () => {
	withMembers((members) => {
		members.writers["a"]?.prepareToLead();
		write(members, "a", "create table t (id integer primary key, x)");
		chooseWal(members);
		const many = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 9000)";
		write(members, "a", `${many} insert into t (x) select randomblob(3000) from n`);
		expectSameBytes(members);
		const reader = openReader(members, "b");
		reader.exec("BEGIN");
		expect(countIn(reader)).toBe(9_000);
		for (let round = 0; round < 60; round++)
			write(members, "a", `update t set x = randomblob(3000) where id % 60 = ${round}`);
		expect(countIn(reader)).toBe(9_000);
		reader.close();
		expectSameBytes(members);
		for (const name of ["a", "b", "c"]) {
			const verdict = member(members, name).connection().prepare("PRAGMA integrity_check").get();
			expect(verdict?.["integrity_check"]).toBe("ok");
		}
	});
});

/** The files of a member as they are now, as a process finds them that starts after this one was killed. */
function afterKill(
	{ directory }: Members,
	name: string,
	copy: string,
	before: (path: string) => void = () => {},
): Writer {
	for (const suffix of ["", "-wal"])
		if (existsSync(join(directory, name + suffix)))
			copyFileSync(join(directory, name + suffix), join(directory, copy + suffix));
	before(join(directory, copy));
	return openWriter(join(directory, copy));
}

test("killed while a transaction is captured: what was not in the log is gone at the next start", () => {
	withMembers((members) => {
		const a = member(members, "a");
		a.prepareToLead();
		write(members, "a", "create table t (x)", "insert into t values (1)");
		chooseWal(members);
		write(members, "a", "insert into t values (2)");
		// As capture does it, up to SQLite's commit.
		a.connection().exec(
			"BEGIN IMMEDIATE; INSERT INTO t VALUES (3); CREATE TABLE lost (y); UPDATE skein_state SET applied_index = -1; COMMIT",
		);
		const again = afterKill(members, "a", "again");
		expect(again.state.applied.index).toBe(members.index);
		expectSameBytesOf(members, "b", "again");
		const next = requestOf(["insert into t values (4)"]);
		again.prepareToLead();
		expect(again.execute([next])[0]?.outcome.errors).toEqual([null]);
		again.close();
	});
});

test("killed behind a capture that was not committed: also another program finds nothing of it", () => {
	withMembers((members) => {
		const a = member(members, "a");
		a.prepareToLead();
		write(members, "a", "create table t (x)", "insert into t values (1)");
		chooseWal(members);
		a.execute([requestOf(["insert into t values (2)"])]);
		const again = afterKill(members, "a", "other", (path) => {
			const program = new DatabaseSync(path);
			expect(countIn(program)).toBe(1);
			program.close();
		});
		expectSameBytesOf(members, "b", "other");
		again.close();
	});
});

function expectSameBytesOf({ directory }: Members, one: string, other: string): void {
	expect(differingPages(imageOf(join(directory, one)), imageOf(join(directory, other)))).toBeNull();
}

test("killed at any moment: a start finds a state that was committed, and replaying the log repairs the rest", () => {
	withMembers((members) => {
		members.writers["a"]?.prepareToLead();
		write(members, "a", "create table t (x)");
		chooseWal(members);
		for (let round = 0; round < 8; round++) write(members, "a", "insert into t values (randomblob(6000))");
		const whole = readFileSync(join(members.directory, "b-wal"));
		for (let length = 0; length < whole.length; length += 1_370) {
			const copy = `cut-${length}`;
			const path = join(members.directory, copy);
			copyFileSync(join(members.directory, "b"), path);
			copyFileSync(join(members.directory, "b-wal"), `${path}-wal`);
			truncateSync(`${path}-wal`, length);
			const again = openWriter(path);
			const from = again.state.applied.index;
			again.apply(members.log.filter(({ position }) => position.index > from));
			expectSameBytesOf(members, "b", copy);
			again.close();
		}
	});
});

const note: TransactionNote = {
	client: "n1/7",
	idempotencyKey: null,
	wallTimeMs: 1_000,
	acknowledgement: { mode: "async" },
};

test("what was answered early and lost is told as what its client sent", () => {
	withMembers((members) => {
		const a = member(members, "a");
		a.prepareToLead();
		write(members, "a", "create table t (x)");
		chooseWal(members);
		const early: WriteRequest = {
			...requestOf([["insert into t values (?)", 5n], "select 1", "update t set x = x + 1"]),
			note,
		};
		const payload = a.execute([early])[0]?.payload ?? new Uint8Array(0);
		a.rollback();
		const values = [{ operation: "statement", sql: "insert into t values (?)", values: [5] }];
		expect(notedTransaction(payload, true)).toEqual({
			note,
			changes: [...values, { operation: "statement", sql: "update t set x = x + 1", values: [] }],
			isCut: false,
		});
		expect(notedTransaction(payload.subarray(0, payload.length - 3_000), false)?.changes).toHaveLength(2);
		expect(() => a.execute([early, early])).toThrow("alone");
		a.rollback();
	});
});

test("a report of more statements than it shows says so", () => {
	withMembers((members) => {
		const a = member(members, "a");
		a.prepareToLead();
		write(members, "a", "create table t (x)");
		chooseWal(members);
		const tell = (count: number) => {
			const statements = Array.from({ length: count }, (_, x) => `insert into t values (${x})`);
			const [outcome] = a.execute([{ ...requestOf(statements), note }]);
			a.rollback();
			const told = notedTransaction(outcome?.payload ?? new Uint8Array(0), true);
			return { shown: told?.changes.length, isCut: told?.isCut };
		};
		expect(tell(1_000)).toEqual({ shown: 1_000, isCut: false });
		expect(tell(1_001)).toEqual({ shown: 1_000, isCut: true });
	});
});

test("a group that changes nothing leaves nothing, and an entry that is too large did not happen", () => {
	withMembers((members) => {
		const a = member(members, "a");
		a.prepareToLead();
		write(members, "a", "create table t (x unique)", "insert into t values (1)");
		chooseWal(members);
		const before = imageOf(join(members.directory, "a"));
		const outcomes = a.execute([
			requestOf(["insert into t values (1)"]),
			requestOf(["delete from t where x = 9"]),
		]);
		expect(outcomes.map(({ payload }) => payload)).toEqual([null, null]);
		a.rollbackGroup();
		expect(differingPages(imageOf(join(members.directory, "a")), before)).toBeNull();
	});
});

test("a statement that failed and kept rows has changed something, and is told if it is lost", () => {
	withMembers((members) => {
		const a = member(members, "a");
		a.prepareToLead();
		write(members, "a", "create table t (x unique)", "insert into t values ('taken')");
		chooseWal(members);
		const sql = "insert or fail into t values ('kept'), ('taken')";
		const [outcome] = commitGroup(members, "a", ["b", "c"], [requestOf([sql])]);
		expect(outcome?.outcome.errors[0]?.code).toMatch(/^SQLITE_CONSTRAINT/);
		expect(countIn(openReader(members, "b"))).toBe(2);
		expectSameBytes(members);
		const [early] = a.execute([{ ...requestOf([sql.replace("kept", "another")]), note }]);
		a.rollbackGroup();
		expect(notedTransaction(early?.payload ?? new Uint8Array(0), true)?.changes).toEqual([
			{ operation: "statement", sql: sql.replace("kept", "another"), values: [] },
		]);
	});
});

test("triggers that a member had hidden before the change to wal are hidden again behind it", () => {
	withMembers((members) => {
		members.writers["a"]?.prepareToLead();
		write(members, "a", "create table t (x integer primary key)", "create table u (y integer primary key)");
		write(members, "a", "create trigger tr after insert on t begin insert into u values (new.x); end");
		write(members, "a", "insert into t values (1)");
		chooseWal(members);
		write(members, "a", "insert into t values (2)");
		commitGroup(members, "a", ["b", "c"], [formatRequest("row")]);
		write(members, "a", "insert into t values (3)");
		for (const name of ["b", "c"])
			expect(member(members, name).connection().prepare("SELECT y FROM u ORDER BY y").all()).toEqual([
				{ y: 1 },
				{ y: 2 },
				{ y: 3 },
			]);
	});
});

test("a connection that knew another schema under the same number looks again", () => {
	withMembers((members) => {
		members.writers["a"]?.prepareToLead();
		write(members, "a", "create table t (x)", "insert into t values (1)");
		write(members, "a", "create table u (a, b)", "insert into u values (1, 2)");
		// Its history was another one: it is ahead by what comes behind the change.
		const { schema_version: version } =
			member(members, "b").connection().prepare("PRAGMA schema_version").get() ?? {};
		member(members, "b")
			.connection()
			.exec(`PRAGMA schema_version = ${Number(version) + 2}`);
		const reader = openReader(members, "b");
		expect(reader.prepare("SELECT * FROM u").all()).toEqual([{ a: 1, b: 2 }]);
		chooseWal(members);
		write(members, "a", "drop table u", "create table u (c)", "insert into u values (9)");
		expect(reader.prepare("SELECT * FROM u").all()).toEqual([{ c: 9 }]);
		reader.close();
	});
});

test("a snapshot is the same byte for byte", async () => {
	const directory = mkdtempSync(join(tmpdir(), "skein-wal-"));
	const [path, copy] = [join(directory, "a"), join(directory, "copy")];
	const writer = openWriter(path);
	writer.prepareToLead();
	for (const [at, request] of [
		requestOf(["create table t (x)", "create table u (x)"]),
		formatRequest("wal"),
		requestOf(["insert into t values (randomblob(9000))", "create table v (x)"]),
	].entries()) {
		writer.execute([request]);
		writer.commit({ index: at + 1, term: 1 });
	}
	const { connection } = pinState(path, openGate);
	await backup(connection, copy);
	makeExact(connection, copy);
	connection.close();
	expect(differingPages(imageOf(path), readFileSync(copy))).toBeNull();
	writer.close();
	rmSync(directory, { recursive: true });
});
