// Which statements are logged as they are, and why the others are not: the rules one by one.
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { guardConnection } from "../connection.ts";
import { createSightCollector, type StatementSight } from "../statement-sight.ts";
import { createStatementJudge, type LoggedAs } from "./log-as.ts";

const schema = `
CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, x);
CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER, s TEXT);
CREATE TABLE loose (n, s); CREATE TABLE single (n);
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n);
CREATE TABLE two (id INTEGER PRIMARY KEY, a UNIQUE, b UNIQUE);
CREATE TABLE w (k TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
CREATE TABLE partial (id INTEGER PRIMARY KEY, n, s); CREATE UNIQUE INDEX part ON partial (n) WHERE s IS NOT NULL;
CREATE TABLE lowered (id INTEGER PRIMARY KEY, n, s); CREATE UNIQUE INDEX low ON lowered (lower(s));
CREATE TABLE computed (id INTEGER PRIMARY KEY, n, g AS (n % 10) UNIQUE);
CREATE TABLE plain (id INTEGER PRIMARY KEY, n, g AS (n * 2) STORED, CHECK (n < 100));
CREATE TABLE stamped (id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE drawn (id INTEGER PRIMARY KEY, n DEFAULT (random()));
CREATE TABLE quoted (id INTEGER PRIMARY KEY, n DEFAULT ("random"()));
CREATE TABLE checked (id INTEGER PRIMARY KEY, n CHECK (n <> last_insert_rowid()));
CREATE TABLE dated (id INTEGER PRIMARY KEY, n); CREATE INDEX by_date ON dated (date(n));
CREATE TABLE clause (id INTEGER PRIMARY KEY, n UNIQUE ON CONFLICT REPLACE);
CREATE TABLE parent (id INTEGER PRIMARY KEY, n);
CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent ON DELETE CASCADE);
CREATE TABLE calm_parent (id INTEGER PRIMARY KEY, n);
CREATE TABLE calm_child (id INTEGER PRIMARY KEY, p REFERENCES calm_parent);
CREATE TABLE log (id INTEGER PRIMARY KEY, n, date TEXT);
CREATE TABLE noted (id INTEGER PRIMARY KEY, n);
CREATE TRIGGER note AFTER INSERT ON noted BEGIN INSERT INTO log (n) VALUES (new.n); END;
CREATE TRIGGER note_update AFTER UPDATE ON noted BEGIN INSERT INTO log (n) VALUES (new.n); END;
CREATE TABLE timed (id INTEGER PRIMARY KEY, n);
CREATE TRIGGER time AFTER INSERT ON timed BEGIN UPDATE timed SET n = unixepoch() WHERE id = new.id; END;
CREATE TABLE guarded (id INTEGER PRIMARY KEY, n);
CREATE TRIGGER guard BEFORE INSERT ON guarded BEGIN SELECT RAISE(ABORT, 'no') WHERE new.n IN (SELECT n FROM t); END;
CREATE TABLE failing (id INTEGER PRIMARY KEY, n);
CREATE TRIGGER fail BEFORE INSERT ON failing BEGIN SELECT RAISE(FAIL, 'no') WHERE new.n = 1; END;
CREATE TABLE twice (id INTEGER PRIMARY KEY, n);
CREATE TRIGGER twice_a AFTER INSERT ON twice BEGIN INSERT INTO log (n) VALUES (1); END;
CREATE TRIGGER twice_b AFTER INSERT ON twice BEGIN INSERT INTO log (n) VALUES (2); END;
CREATE TABLE chained (id INTEGER PRIMARY KEY, n);
CREATE TRIGGER chain AFTER INSERT ON chained BEGIN INSERT INTO noted (n) VALUES (new.n); END;
CREATE TABLE copied (id INTEGER PRIMARY KEY, n);
CREATE TRIGGER copy AFTER INSERT ON copied BEGIN INSERT INTO loose SELECT n, s FROM t; END;
CREATE VIEW v AS SELECT id, n FROM t;
CREATE TRIGGER into_view INSTEAD OF INSERT ON v BEGIN INSERT INTO t (n) VALUES (new.n); END;
CREATE VIRTUAL TABLE f USING fts5 (body);
CREATE VIEW json_tree AS SELECT n AS value FROM t;
`;

function sightOf(connection: DatabaseSync, sql: string): () => StatementSight {
	return () => {
		const { see, sight } = createSightCollector();
		guardConnection(connection)(() => connection.prepare(sql), see);
		return sight();
	};
}

function judgeOf(): (sql: string) => LoggedAs {
	const connection = new DatabaseSync(":memory:");
	connection.exec(schema);
	const judge = createStatementJudge(connection, guardConnection(connection));
	return (sql) => judge.judge(sql, sightOf(connection, sql));
}

const asSql = [
	"insert into t values (1, 2, 'x', null)",
	"insert into t (n, s) values (?, :name), (1.5, x'00')",
	"insert into t default values",
	"insert into u (n) values (1) returning id",
	"insert into loose values (1, 'a'), (2, 'b')",
	"insert or ignore into names (name) values ('a'), ('a')",
	"insert or replace into two values (1, 2, 3)",
	"replace into w values ('a', 1)",
	"insert into names (name, n) values ('a', 1) on conflict (name) do update set n = n + excluded.n",
	"insert into w values ('a', 1) on conflict do nothing",
	"insert into plain (n) values (upper('a') || 1)",
	"insert into log (date) values ('today')",
	"insert into main.log (n) values (1)",
	"insert into noted (n) values (1), (2)",
	"insert into guarded (n) values (1), (2)",
	"insert into calm_parent values (1, 2)",
	"insert into t (n) values ((select count(*) from u where n > 3))",
	"update t set n = n + 1, s = coalesce(s, 'none')",
	"update t set x = json_set(x, '$.a', 1) where n in (1, 2) or s like 'a%' returning *",
	"update t set n = 0 where n in (select n from u where u.s = t.s)",
	"update t set n = 0 where exists (select 1 from u as o where o.n = t.n)",
	"update t set n = (select count(*) from u where u.n = t.n)",
	"update t set n = 0 where s is not distinct from 'x'",
	"update names set n = n * 2",
	"update w set n = 1 where k > 'a'",
	"update plain set n = 3 where g = 4",
	"update t set n = (values (1))",
	"update t indexed by sqlite_autoindex_none set n = 1",
	"delete from t",
	"delete from t where id = ?1",
	"delete from loose where n in (select value from json_each(?))",
	"delete from calm_parent where id = 1",
	"insert into w select s, n from t",
	"insert into t (id, n) select id, n * 2 from u where n > 3 order by n desc",
	"insert into t select id, n, s, null from u",
	'insert into t ("id", n) select u.id, t2.n from u join plain as t2 on t2.id = u.n',
].filter((sql) => !sql.includes("autoindex_none"));

test.each(asSql)("as SQL: %s", (sql) => {
	expect(judgeOf()(sql)).toMatchObject({ as: "statement" });
});

const asRows: readonly (readonly [sql: string, reason: string])[] = [
	["insert into t (n) values (random())", "random"],
	["insert into t (x) values (randomblob(4))", "randomblob"],
	["insert into t (s) values (datetime('now'))", "datetime"],
	["insert into t (s) values (strftime('%Y', ?))", "strftime"],
	["insert into t (s) values ('a'), (date('now'))", "date"],
	[
		"insert into t (n, s) values (1, 'a'), (2, current_timestamp) on conflict do nothing",
		"current_timestamp",
	],
	['insert into t (n) values (1), ("random"())', "random"],
	["insert into t (n) values (last_insert_rowid())", "last_insert_rowid"],
	["update t set n = changes()", "changes"],
	["update t set n = total_changes()", "total_changes"],
	["update t set s = sqlite_version()", "sqlite_version"],
	["update t set x = sin(n)", "sin"],
	["update t set s = printf('%f', n)", "printf"],
	["update t set s = 'a' where current_date > 'b'", "current_date"],
	["insert into stamped default values", "current_timestamp"],
	["insert into drawn (id) values (1)", "random"],
	["insert into quoted (id) values (1)", "random"],
	["insert into checked (n) values (1)", "last_insert_rowid"],
	["update dated set n = 1", "date"],
	["insert into clause (n) values (1)", "ON CONFLICT"],
	["insert or fail into names (name) values ('a'), ('a')", "FAIL"],
	["update or ignore names set n = 1", "OR IGNORE"],
	["update or replace t set n = 1", "OR REPLACE"],
	["update names set name = name || 'x'", "unique column"],
	["update t set id = id + 1", "unique column"],
	["update loose set rowid = 5", "unique column"],
	["update w set k = 'a'", "unique column"],
	["update partial set s = 'x'", "part of its rows"],
	["update lowered set n = 1", "expression"],
	["update computed set n = 1", "unique index"],
	["update t set n = o.n from u as o where o.id = t.id", "FROM"],
	["with c as (select 1) delete from t where n in c", "common table"],
	["delete from t where id in (select id from u limit 3)", "LIMIT"],
	["delete from t where id in (select id from u group by n)", "GROUP BY"],
	["delete from t where id in (select id from u union select n from u)", "compound"],
	["delete from t where n = (select n from u where s = 'a')", "subquery"],
	["delete from t where n = (select max(n) from u)", "max and min"],
	["update t set s = (select group_concat(s) from u)", "group_concat"],
	["update t set n = (select count(*) from t as o where o.n > t.n)", "looks into t"],
	["delete from t where n in (select n from t where s = 'a')", "looks into t"],
	["delete from single where n in single", "looks into single"],
	["delete from t where n in (select n from v)", "view"],
	["insert into v (n) values (1)", "view"],
	["insert into f values ('goose')", "virtual"],
	["insert into t (n) values (exists (select 1 from f where f match 'x'))", "match"],
	["update u set n = (select count(*) from sqlite_schema)", "sqlite_"],
	["delete from sqlite_sequence", "sqlite_sequence"],
	["delete from parent where id = 1", "foreign keys"],
	["insert or replace into parent values (1, 2)", "foreign keys"],
	["update noted set n = 1", "trigger"],
	["insert into noted (n) select n from t", "trigger"],
	["insert into timed (n) values (1)", "unixepoch"],
	["insert into failing (n) values (1)", "FAIL"],
	["insert into twice (n) values (1)", "more than one trigger"],
	["insert into chained (n) values (1)", "more than one trigger"],
	["insert into copied (n) values (1)", "subquery"],
	["insert into names (id, name) values (1, 'a') on conflict (name) do update set n = 1", "several unique"],
	["insert into two (a, b) values (1, 2) on conflict (a) do nothing", "several unique"],
	["insert into names (name) values ('a') on conflict (name) do update set name = 'b'", "unique column"],
	["insert into names (rowid, name) values (1, 'a') on conflict (name) do nothing", "several unique"],
	["delete from t where n in (select value from json_tree)", "view"],
	["insert into t (n) select n from u", "new rowids"],
	["insert into loose select n, s from t", "new rowids"],
	["insert into t (id, n) select n, n from u", "new rowids"],
	["insert into t (id, n) select u.id, u.n from names left join u on u.n = names.n", "new rowids"],
	["insert into t (id, n) select id + 1, n from u", "new rowids"],
	["insert or ignore into t (id, n) select id, n from u", "conflict clause"],
	["insert into t (id, n) select id + 100, n from t", "reads the table t"],
	["insert into w select distinct s, n from t", "DISTINCT"],
	["insert into w select s, count(*) from t", "aggregate"],
	['insert into w select s, "count"(*) from t', "aggregate"],
	["insert into w select s, row_number() over (order by n) from t", "row_number"],
	[`insert into t (s) values ('${"x".repeat(20_000)}')`, "characters"],
	["insert into absent values (1)", "does not take"],
];

test.each(asRows)("as rows: %.100s", (sql, reason) => {
	const judged = judgeOf()(sql);
	expect(judged.as).toBe("rows");
	expect(judged.as === "rows" && judged.reasons.join("; ")).toContain(reason);
});

test("every reason is told once, and the schema is looked at anew when it may be another", () => {
	const connection = new DatabaseSync(":memory:");
	connection.exec("CREATE TABLE t (n UNIQUE, m)");
	const judge = createStatementJudge(connection, guardConnection(connection));
	const doubtful = "update t set n = random(), m = random() where n = random()";
	const plain = "update t set m = 1";
	expect(judge.judge(doubtful, sightOf(connection, doubtful))).toEqual({
		as: "rows",
		reasons: [expect.stringContaining("random"), expect.stringContaining("unique")],
	});
	connection.exec("CREATE TABLE late (n)");
	expect(judge.judge(plain, sightOf(connection, plain))).toMatchObject({ as: "statement" });
	connection.exec("DROP TABLE t; CREATE TABLE t (n, m UNIQUE)");
	judge.forget();
	expect(judge.judge(plain, sightOf(connection, plain))).toMatchObject({ as: "rows" });
});
