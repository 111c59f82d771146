// Leader and followers end equal: every case of SQL, captured, replayed one by one and in runs, with a change of leader.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { logFormats } from "../log-format.ts";
import { contentsOf, differingPages, imageOf } from "../testing/contents.ts";
import { commitGroup, formatRequest, type Members, requestOf, withMembers } from "../testing/members.ts";
import { sqlCases } from "../testing/sql-cases.ts";

/** Runs the requests on `leader` in groups of three; `one` replays entry by entry, `run` all at once. */
function write(
	members: Members,
	leader: string,
	one: string,
	run: string,
	requests: readonly (readonly string[])[],
): void {
	const { writers, log } = members;
	const from = log.length;
	writers[leader]?.prepareToLead();
	for (let start = 0; start < requests.length; start += 3)
		commitGroup(members, leader, [one], requests.slice(start, start + 3).map(requestOf));
	const all = log.slice(from);
	if (all.length > 0) writers[run]?.apply(all);
}

function expectEqual({ directory }: Members): void {
	const [a, b, c] = ["a", "b", "c"].map((name) => contentsOf(join(directory, name)));
	expect(b).toEqual(a);
	expect(c).toEqual(a);
}

const names = (count: number): string => Array.from({ length: count }, (_, place) => `c${place}`).join(", ");

/** What the format wal promises besides. */
function expectSameBytes({ directory }: Members): void {
	const [a, b, c] = ["a", "b", "c"].map((name) => imageOf(join(directory, name)));
	if (a === undefined || b === undefined || c === undefined) throw new Error("three members");
	expect(differingPages(a, b)).toBeNull();
	expect(differingPages(a, c)).toBeNull();
}

/** Each alone would be a table whose rows nobody can watch, on this leader and on every later one. */
const unwatchable = [
	"create table t3 (rowid, _rowid_, oid)",
	"create table t3 (rowid integer primary key, _rowid_, oid)",
	"create table t3 as select 1 as rowid, 2 as _rowid_, 3 as oid",
	"alter table two add column oid",
	"alter table two rename column x to oid",
	`create table wide (${names(1999)}, primary key (${names(1000)}))`,
];

/** Where virtual tables keep their own: an empty f_data, and no member can read f any more. */
const ownTables = [
	"delete from f_data",
	"update f_content set c0 = 'x'",
	"insert into 'F_config' values ('x', 1)",
	"with x as (select 1) delete from main.[f_idx]",
	"insert into f4_content (docid) values (9)",
	"replace into r_node values (1, x'00')",
	"drop table f_config",
	"drop table if exists main.f4_segments",
	"alter table f_docsize rename to gone",
	"alter table r_rowid add column x",
	"create trigger tr after insert on f_data begin select 1; end",
	"create trigger tr after insert on t begin delete from f4_content; end",
];

/** Pages have no names that could be hidden. Whoever leads afterwards goes on; a format that could not is not chosen. */
function expectNothingRefused(members: Members, sql: string): void {
	const made = /t3|wide/.exec(sql)?.[0] ?? "two";
	write(members, "a", "b", "c", [["create table two (rowid, _rowid_, x)"], [sql]]);
	write(members, "b", "c", "a", [["insert into two (rowid, _rowid_) values (1, 2)"]]);
	write(members, "c", "a", "b", [
		["update two set rowid = 7"],
		[made === "wide" ? "insert into wide (c0) values (8)" : `insert into ${made} (rowid) values (8)`],
	]);
	expectSameBytes(members);
	expectEqual(members);
	const rows = contentsOf(join(members.directory, "b"))[made];
	expect(rows).toHaveLength(made === "two" ? 2 : /as select/.test(sql) ? 2 : 1);
	expectOtherFormatsRefused(members, made);
}

function expectOtherFormatsRefused(members: Members, made: string): void {
	const { c } = members.writers;
	for (const format of ["row", "statement"] as const)
		expect(() => c?.execute([formatRequest(format)])).toThrow(
			expect.objectContaining({ code: "UNSUPPORTED_SQL", message: expect.stringContaining("drop it first") }),
		);
	write(members, "a", "b", "c", [[`drop table ${made}`]]);
	commitGroup(members, "a", ["b", "c"], [formatRequest("row")]);
	write(members, "a", "b", "c", [["create table again (x)", "insert into again values (9)"]]);
	expect(contentsOf(join(members.directory, "c"))["again"]).toHaveLength(1);
	expectEqual(members);
}

describe.each(logFormats)("%s", (format) => {
	test.each(sqlCases.map((one) => [one.name, one] as const))("%s", (_name, { before, after }) => {
		withMembers((members) => {
			write(members, "a", "b", "c", before);
			expectEqual(members);
			write(members, "b", "c", "a", after);
			expectEqual(members);
			if (format === "wal") expectSameBytes(members);
			expect(members.payloads).toBeGreaterThan(1);
		}, format);
	});

	test("requests that fail or are rolled back leave nothing, in one group with others", () => {
		withMembers((members) => {
			write(members, "a", "b", "c", [
				["create table t (x unique)"],
				["begin", "insert into t values (1)", "create table gone (x)", "rollback"],
				["insert into t values (2)"],
				["begin", "insert into t values (3)"],
				["insert into t values (2)"],
				["insert into t values (4)"],
			]);
			expectEqual(members);
			expect(contentsOf(join(members.directory, "c"))["t"]).toHaveLength(2);
		}, format);
	});

	test.each(unwatchable)(
		format === "wal"
			? "%.60s: what no other format can replicate is taken, and members are the same byte for byte"
			: "%.60s: what cannot be replicated is refused, undone, and everything goes on",
		(sql) => {
			if (format === "wal") return withMembers((members) => expectNothingRefused(members, sql), format);
			withMembers((members) => {
				write(members, "a", "b", "c", [["create table two (rowid, _rowid_, x)"]]);
				const [outcome] = members.writers["a"]?.execute([requestOf([sql])]) ?? [];
				expect(outcome?.outcome.errors[0]).toMatchObject({ code: "UNSUPPORTED_SQL" });
				expect(outcome?.payload).toBeNull();
				members.writers["a"]?.rollback();
				write(members, "a", "b", "c", [
					["begin", "insert into two values (1, 2, 3)", sql, "insert into two values (4, 5, 6)", "commit"],
					["create table more (x)", "insert into more values (1)"],
				]);
				expectEqual(members);
				write(members, "b", "c", "a", [["insert into two values (7, 8, 9)"]]);
				expectEqual(members);
				expect(contentsOf(join(members.directory, "c"))["two"]).toHaveLength(3);
			}, format);
		},
	);

	test("what virtual tables keep for themselves is written by them alone, triggers included", () => {
		withMembers((members) => {
			write(members, "a", "b", "c", [
				["create virtual table f using fts5 (a)", "create virtual table f4 using fts4 (a)"],
				["create virtual table r using rtree (id, x0, x1)"],
				[
					"insert into f values ('goose')",
					"insert into f4 values ('goose')",
					"insert into r values (1, 0, 1)",
				],
				["create table t (x)"],
				[
					"create trigger tt after insert on t begin insert into f values (new.x); delete from late_data; end",
				],
				["create virtual table late using fts5 (a)"],
			]);
			const refused = members.writers["a"]?.execute(
				[...ownTables, "insert into t values (1)"].map((sql) => requestOf([sql])),
			);
			const codes = refused?.map(({ outcome }) => outcome.errors[0]?.code);
			expect(codes).toEqual(codes?.map(() => "UNSUPPORTED_SQL"));
			expect(refused?.at(-1)?.payload).toBeNull();
			members.writers["a"]?.rollback();
			write(members, "a", "b", "c", [
				["drop trigger tt", "create trigger tt after insert on t begin insert into f values (new.x); end"],
				["insert into t values ('skein')", "insert into f (f) values ('optimize')", "delete from f4"],
				["alter table f rename to g", "insert into t values ('lost')"],
				["update r set x1 = 5", "drop table f4"],
			]);
			write(members, "b", "c", "a", [["drop trigger tt", "insert into g values ('sky')", "drop table r"]]);
			expectEqual(members);
		}, format);
	});
});

test("a member that has other rows is told so, and stops", () => {
	withMembers((members) => {
		write(members, "a", "b", "c", [
			["create table t (id integer primary key, x)"],
			["insert into t values (1, 'same')"],
		]);
		const other = members.writers["c"];
		other?.prepareToLead();
		other?.execute([requestOf(["update t set x = 'other'"])]);
		other?.commit({ index: members.index, term: 1 });
		expect(() => write(members, "a", "b", "c", [["update t set x = 'new' where id = 1"]])).toThrow(
			"does not fit",
		);
	});
});
