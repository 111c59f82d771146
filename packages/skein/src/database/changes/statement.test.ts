// What a payload of the statement format holds, and that a member for which it does not come out equal stops.
import { join } from "node:path";
import { expect, test } from "vitest";
import { contentsOf } from "../testing/contents.ts";
import { commitGroup, type Members, requestOf, type Sql, withMembers } from "../testing/members.ts";
import { decodePayload } from "./payload.ts";

/** One group on `a`, applied on the others: the parts of its payload, a statement as its text. */
function write(members: Members, ...requests: readonly (readonly Sql[])[]): string[] {
	const before = members.log.length;
	commitGroup(members, "a", ["b", "c"], requests.map(requestOf));
	return members.log
		.slice(before)
		.flatMap(({ payload }) =>
			decodePayload(payload).map((part) => (part.type === "statement" ? part.statement.sql : part.type)),
		);
}

function withStatements(run: (members: Members) => void): void {
	withMembers((members) => {
		run(members);
		const [a, b, c] = ["a", "b", "c"].map((name) => contentsOf(join(members.directory, name)));
		expect(b).toEqual(a);
		expect(c).toEqual(a);
	}, "statement");
}

test("SQL where it is safe, rows where it is not, in their order, in one payload", () => {
	withStatements((members) => {
		write(members, ["create table t (id integer primary key, n, s unique)"]);
		const parts = write(
			members,
			[["insert into t (n, s) values (?, ?)", 1n, "a"]],
			["insert into t (n) values (random())", "update t set n = n + 1 where s = 'a'"],
			["update t set s = 'b' where id = 1", "create table more (x)", "insert into more values (1)"],
			["delete from t where n = 77"],
		);
		expect(parts).toEqual([
			"insert into t (n, s) values (?, ?)",
			"changeset",
			"update t set n = n + 1 where s = 'a'",
			"changeset",
			"sql",
			"insert into more values (1)",
		]);
	});
});

test("what was rolled back is not logged: requests, transactions, savepoints", () => {
	withStatements((members) => {
		write(members, ["create table t (id integer primary key, n unique)", "insert into t values (1, 1)"]);
		const parts = write(
			members,
			["begin", "insert into t (n) values (2)", "rollback"],
			[
				"begin",
				"insert into t (n) values (3)",
				"savepoint s",
				"insert into t (n) values (4)",
				"rollback to s",
			],
			[
				"begin",
				"insert into t (n) values (5)",
				"savepoint s",
				"insert into t (n) values (6)",
				"rollback to s",
				"insert into t (n) values (7)",
				"commit",
			],
			["insert into t (n) values (8), (1)"],
			["insert into t (n) values (9)"],
		);
		expect(parts).toEqual([5, 7, 9].map((n) => `insert into t (n) values (${n})`));
	});
});

test("the rows that SQLite keeps of a statement that failed are logged", () => {
	withStatements((members) => {
		write(members, ["create table t (id integer primary key, n)"]);
		// The second row's type ends it, and the first stays.
		expect(write(members, ["insert or replace into t values (1, 'stays'), ('x', 'wrong')"])).toEqual([
			"changeset",
		]);
		expect(contentsOf(join(members.directory, "b"))["t"]).toHaveLength(1);
	});
});

test("where rowids end they are drawn, and the rows are logged", () => {
	withStatements((members) => {
		write(members, ["create table t (id integer primary key, n)", "create table u (n)"]);
		const last = "9223372036854775807";
		expect(write(members, [`insert into t values (${last}, 1), (null, 2)`])).toEqual(["changeset"]);
		expect(write(members, ["insert into t (n) values (3)"])).toEqual(["changeset"]);
		expect(write(members, [`insert into u (rowid, n) values (${last}, 1), (null, 2)`])).toEqual(["rows"]);
		expect(write(members, ["insert into u values (3)"])).toEqual(["rows"]);
	});
});

test("arguments, named and by number, of every type", () => {
	withStatements((members) => {
		write(members, ["create table t (a, b, c, d)"]);
		write(
			members,
			[["insert into t values (?, ?, ?, ?)", null, 9007199254740993n, 0.1, "\uFEFFa\0b"]],
			[["insert into t values (?2, ?1, ?4, ?2)", "first", 2n, null, new Uint8Array([0, 255])]],
			[["insert into t values (:a, @b, $c, :a) returning *", 1n, 1.5, "x"]],
		);
		const named = { ...requestOf([]), program: { steps: [] } };
		commitGroup(
			members,
			"a",
			["b", "c"],
			[
				{
					...named,
					program: {
						steps: [
							{
								condition: null,
								statement: {
									sql: "insert into t (a, b) values (:one, $two)",
									arguments: [],
									namedArguments: [
										{ name: "two", value: 2n },
										{ name: ":one", value: "1" },
									],
									wantRows: false,
								},
							},
						],
					},
				},
			],
		);
		expect(members.payloads).toBe(3);
		expect(contentsOf(join(members.directory, "c"))["t"]).toHaveLength(4);
	});
});

test("triggers fire where a statement is run again, and not where rows are", () => {
	withStatements((members) => {
		write(
			members,
			["create table t (id integer primary key, n unique)", "create table log (id integer primary key, n)"],
			["create trigger i after insert on t begin insert into log (n) values (new.n); end"],
			["create trigger d after delete on t begin insert into log (n) values (-old.n); end"],
		);
		const parts = write(
			members,
			["insert into t (n) values (1), (2)"],
			["update t set n = n + 10"],
			["insert into t (n) values (3)", "delete from t where n = 12"],
			["insert into log (n) values (0)"],
		);
		expect(parts).toEqual([
			"insert into t (n) values (1), (2)",
			"changeset",
			"insert into t (n) values (3)",
			"changeset",
			"insert into log (n) values (0)",
		]);
		expect(contentsOf(join(members.directory, "b"))["log"]).toHaveLength(5);
	});
});

test("rows that are logged as SQL are not noted as well", () => {
	withStatements((members) => {
		write(members, ["create table t (n)", "insert into t values (1), (2)"]);
		expect(write(members, ["update t set n = n + 1"])).toEqual(["update t set n = n + 1"]);
		const noted = members.writers["a"]?.connection().prepare("SELECT count(*) AS n FROM temp.skein_noted");
		expect(noted?.get()).toEqual({ n: 0 });
		expect(write(members, ["update t set n = abs(random()) % 5"])).toEqual(["rows"]);
	});
});

test("outcomes of requests with a key travel as rows", () => {
	withStatements((members) => {
		write(members, ["create table t (n)"]);
		const keyed = { ...requestOf(["insert into t values (1)"]), idempotencyKey: "k" };
		commitGroup(members, "a", ["b", "c"], [keyed]);
		const [again] = commitGroup(members, "a", ["b", "c"], [keyed]);
		expect(again?.replayed).toBe(true);
		expect(contentsOf(join(members.directory, "b"))["t"]).toHaveLength(1);
	});
});

/** Changes a follower behind everybody's back. */
function meddle(members: Members, name: string, sql: string): void {
	const writer = members.writers[name];
	writer?.prepareToLead();
	writer?.execute([requestOf([sql])]);
	writer?.commit({ index: members.index, term: 1 });
}

test.each([
	["a row that is not there", "delete from t where n = 2", "delete from t where n = 2"],
	["a row that is there", "insert into t (n) values (2)", "update t set s = 'x' where n = 2"],
	["another last rowid", "insert into t (id, n) values (70, 9)", "insert into t (n) values (5)"],
	["a value that is taken", "insert into u values (5)", "insert into u values (5)"],
])("a member that has diverged stops: %s", (_what, meddled, sql) => {
	withMembers((members) => {
		write(
			members,
			["create table t (id integer primary key, n, s)", "create table u (n unique)"],
			["insert into t (n) values (1), (2), (3)"],
		);
		meddle(members, "c", meddled);
		expect(() => write(members, [sql])).toThrow(/does not fit|UNIQUE/);
	}, "statement");
});
