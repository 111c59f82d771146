// @libsql/client, unchanged, over HTTP: every method, through every node.
import { type Client, createClient, LibsqlError } from "@libsql/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { expectEqualMembers } from "./support/compare.ts";

const cluster = useCluster();
let clients: Client[] = [];

beforeAll(() => {
	clients = cluster().urls.map((url) => createClient({ url, intMode: "bigint" }));
});
afterAll(() => {
	for (const client of clients) client.close();
});

function client(index: number): Client {
	const found = clients[index % clients.length];
	if (found === undefined) throw new Error("there is no client");
	return found;
}

/** The error of a promise that must reject. */
async function errorOf(promise: Promise<unknown>): Promise<LibsqlError> {
	const error = await promise.then(
		() => null,
		(reason: unknown) => reason,
	);
	if (!(error instanceof LibsqlError)) throw new Error(`not a LibsqlError: ${String(error)}`);
	return error;
}

test("execute: arguments by place and by name, every type of value", async () => {
	await client(0).execute("create table v (id integer primary key, x any) strict");
	const values = [
		1n,
		-(2n ** 63n),
		2n ** 63n - 1n,
		1.5,
		-0.25,
		"text",
		"",
		"é😀",
		null,
		new Uint8Array([0, 255, 7]),
	];
	for (const [index, x] of values.entries()) {
		const done = await client(index).execute({ sql: "insert into v values (?, ?)", args: [index, x] });
		expect(done).toMatchObject({ rowsAffected: 1, lastInsertRowid: BigInt(index) });
	}
	for (const at of [0, 1, 2]) {
		const { rows, columns, columnTypes } = await client(at).execute("select id, x from v order by id");
		expect(columns).toEqual(["id", "x"]);
		expect(columnTypes.map((type) => type.toLowerCase())).toEqual(["integer", "any"]);
		const got = rows.map((row) => (row["x"] instanceof ArrayBuffer ? new Uint8Array(row["x"]) : row["x"]));
		expect(got).toEqual(values);
	}
	const named = await client(1).execute({
		sql: "select :a + @b + $c as total",
		args: { a: 1, b: 2, c: 3 },
	});
	expect(named.rows[0]?.["total"]).toBe(6);
});

test("batch: one transaction; an error takes all of it back", async () => {
	await client(0).execute("create table b (x integer unique)");
	const results = await client(1).batch(
		[
			"insert into b values (1)",
			{ sql: "insert into b values (?)", args: [2] },
			"select count(*) as n from b",
		],
		"write",
	);
	expect(results[2]?.rows[0]?.["n"]).toBe(2n);
	const error = await errorOf(
		client(2).batch(["insert into b values (3)", "insert into b values (1)"], "write"),
	);
	expect(error.code).toMatch(/^SQLITE_CONSTRAINT/);
	expect((await client(0).execute("select count(*) as n from b")).rows[0]?.["n"]).toBe(2n);
	const read = await client(2).batch(["select 1 as one", "select count(*) as n from b"], "read");
	expect(read[1]?.rows[0]?.["n"]).toBe(2n);
});

test("transaction: commit, rollback, and an error inside that leaves it open", async () => {
	await client(0).execute("create table t (x integer unique)");
	for (const at of [0, 1, 2]) {
		const transaction = await client(at).transaction("write");
		await transaction.execute({ sql: "insert into t values (?)", args: [at] });
		const error = await errorOf(transaction.execute({ sql: "insert into t values (?)", args: [at] }));
		expect(error.code).toMatch(/^SQLITE_CONSTRAINT/);
		const { rows } = await transaction.execute("select count(*) as n from t");
		expect(rows[0]?.["n"]).toBe(BigInt(at + 1));
		await transaction.commit();
		expect(transaction.closed).toBe(true);
	}
	const undone = await client(1).transaction("write");
	await undone.batch(["insert into t values (10)", "insert into t values (11)"]);
	await undone.rollback();
	const left = await client(1).transaction("write");
	await left.execute("insert into t values (12)");
	left.close();
	const read = await client(2).transaction("read");
	expect((await read.execute("select count(*) as n from t")).rows[0]?.["n"]).toBe(3n);
	await read.commit();
});

test("migrate: foreign keys are off meanwhile, and on again", async () => {
	await client(1).migrate([
		"create table parent (id integer primary key)",
		"create table child (id integer primary key, parent integer references parent (id))",
		"insert into child values (1, 99)",
	]);
	expect((await client(0).execute("select count(*) as n from child")).rows[0]?.["n"]).toBe(1n);
});

test("executeMultiple: a script with a trigger and comments", async () => {
	await client(2).executeMultiple(`
		create table log (what text); -- semicolon; in a comment
		create table s (x integer);
		create trigger s_insert after insert on s begin
			insert into log values ('a;b');
			insert into log values (new.x);
		end;
		insert into s values (5);
	`);
	expect((await client(0).execute("select group_concat(what, '|') as all_of_it from log")).rows[0]?.[0]).toBe(
		"a;b|5",
	);
});

test("errors: SQLite's own words and names", async () => {
	const missing = await errorOf(client(0).execute("select * from nowhere"));
	expect(missing.message).toContain("no such table: nowhere");
	expect(missing.code).toMatch(/^SQLITE_ERROR/);
	const refused = await errorOf(client(1).execute("attach database 'x' as y"));
	expect(refused.code).toBe("UNSUPPORTED_SQL");
});

test("100 statements at once through all nodes, and the members are equal", async () => {
	await client(0).execute("create table many (x integer)");
	await Promise.all(
		Array.from({ length: 100 }, (_, x) =>
			client(x).execute({ sql: "insert into many values (?)", args: [x] }),
		),
	);
	expect((await client(1).execute("select sum(x) as total from many")).rows[0]?.["total"]).toBe(4950n);
	await expectEqualMembers(cluster());
});
