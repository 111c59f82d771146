// What clients may not do: refused by its text, with a reason; and by SQLite's authorizer, whatever the text.
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { guardConnection } from "./connection.ts";
import { ownSchema } from "./own-tables.ts";
import { parseStatement } from "./sql.ts";

const refused: readonly string[] = [
	"attach 'x.db' as x",
	"detach x",
	"vacuum",
	"vacuum into 'copy.db'",
	"select load_extension('x')",
	"create temp table t (a)",
	"create temporary view v as select 1",
	"create table temp.t (a)",
	'create table "temp".t (a)',
	"create temp trigger g after insert on t begin select 1; end",
	"create table skein_x (a)",
	"create table SKEIN_X (a)",
	'create table "skein_x" (a)',
	"create table 'skein_x' (a)",
	"create table main.[skein_x] (a)",
	"create table skein_x as select 1",
	"create virtual table skein_f using fts5(a)",
	"create index skein_i on t (a)",
	"create index i on skein_requests (key)",
	"create view skein_v as select 1",
	"create trigger g after insert on t begin delete from skein_state; end",
	"alter table t rename to skein_t",
	"alter table t rename to 'skein_t'",
	"drop table skein_state",
	"drop table main.skein_state",
	"insert into skein_state values (1)",
	'insert into "skein_state" values (1)',
	"insert into main.skein_state values (1)",
	"update `skein_state` set applied_index = 9",
	"with a as (select 1) delete from skein_requests",
	"insert or replace into skein_replays values ('a', 'b')",
	"delete from skein_replays",
	"insert into skein_replays values ('a', 'b') on conflict do update set at = skein_replays.at",
	"replace into [skein_requests] values (1)",
	"insert or rollback into t values (1)",
	"update or rollback t set a = 1",
	"create table r (a unique on conflict rollback)",
	"create trigger g before insert on t begin select raise(rollback, 'no'); end",
	"savepoint skein_client",
	"release savepoint 'skein_request'",
	"rollback to [SKEIN_request]",
	"pragma writable_schema = 1",
	"pragma main.writable_schema = on",
	"pragma journal_mode = delete",
	"pragma main.journal_mode = memory",
	'pragma "journal_mode" = off',
	"pragma journal_mode(truncate)",
	"pragma page_size = 8192",
	"pragma encoding = 'UTF-16'",
	"pragma schema_version = 5",
	"pragma auto_vacuum = 1",
	"pragma incremental_vacuum",
	"pragma query_only = 0",
	"pragma trusted_schema = 0",
	"pragma temp_store_directory = '/tmp'",
	"pragma recursive_triggers = on",
	"pragma case_sensitive_like = 1",
	"pragma nonsense",
];

test.each(refused)("%s is refused, and told why", (sql) => {
	const { problem } = parseStatement(sql);
	expect(problem?.code).toBe("UNSUPPORTED_SQL");
	expect(problem?.message).toMatch(/\.$/);
});

const accepted: readonly string[] = [
	"select * from skein_state",
	"select 'skein_state', \"skein_x\"",
	"insert into t values ('skein_state')",
	"insert into skein_replays values ('a', 'b')",
	"create table t as select 1",
	"create table x (a default 'skein_x')",
	"create table temporary_things (temp)",
	"select 'attach', 'vacuum'",
	"insert or replace into t values (1)",
	"create table r (a unique on conflict replace)",
	"savepoint a",
	"pragma journal_mode",
	"pragma journal_mode = WAL",
	"pragma main.table_info(t)",
	"pragma integrity_check",
	"pragma integrity_check(10)",
	"pragma foreign_key_check",
	"pragma foreign_key_check('t')",
	"pragma encoding",
	"pragma main.user_version = 5",
	"pragma recursive_triggers = off",
];

test.each(accepted)("%s is not refused", (sql) => {
	expect(parseStatement(sql).problem).toBeNull();
});

test.each<[sql: string, answer: object | null]>([
	["pragma journal_mode", { column: "journal_mode", value: "wal" }],
	["pragma journal_mode = wal", { column: "journal_mode", value: "wal" }],
	["pragma synchronous", { column: "synchronous", value: 1 }],
	["pragma synchronous = off", null],
	["pragma busy_timeout", { column: "timeout", value: 0 }],
	["pragma busy_timeout = 1000", { column: "timeout", value: 0 }],
	["pragma optimize", null],
	["pragma wal_checkpoint(truncate)", null],
])("%s is accepted and not run", (sql, answer) => {
	expect(parseStatement(sql)).toMatchObject({ kind: "no-op", problem: null, noOpAnswer: answer });
});

/** SQL whose text slips through, or could. */
const denied: readonly string[] = [
	"attach ':memory:' as x",
	"create temp table t2 (a)",
	"create table 'skein_x' (a)",
	"create view 'skein_v' as select 1",
	"create index 'skein_i' on t (a)",
	"create trigger 'skein_g' after insert on t begin select 1; end",
	"create virtual table 'skein_f' using fts5(a)",
	"insert into 'skein_state' values (2, 0, 0, null, null)",
	"update skein_state set applied_index = 7",
	"delete from skein_requests",
	"drop table skein_requests",
	"delete from skein_replays",
	"update skein_replays set at = ''",
	"insert into skein_replays values ('a', 'b') on conflict do update set at = ''",
	"alter table skein_requests add x",
	"pragma writable_schema = 1",
	"pragma query_only = 0",
	"pragma foreign_keys = 0",
	"explain pragma foreign_keys = 0",
	"select load_extension('x')",
	"select * from pragma_optimize",
	"select * from pragma_journal_mode",
	"select (select count(*) from pragma_wal_checkpoint)",
];

test.each(denied)("the authorizer does not allow %s", (sql) => {
	const connection = new DatabaseSync(":memory:");
	connection.exec(`${ownSchema} create table t (a)`);
	const guard = guardConnection(connection);
	expect(() => guard(() => connection.prepare(sql))).toThrow(/not authorized|prohibited|no such/);
	connection.close();
});

test.each([
	"select * from pragma_table_info('t')",
	"select * from pragma_foreign_key_check",
	"select * from skein_state",
	"insert into t values (1) returning *",
	"insert into skein_replays values ('a', 'b')",
	"create table x as select * from t",
	"pragma integrity_check",
	"pragma user_version = 5",
])("the authorizer allows %s", (sql) => {
	const connection = new DatabaseSync(":memory:");
	connection.exec(`${ownSchema} create table t (a)`);
	const guard = guardConnection(connection);
	guard(() => connection.prepare(sql)).all();
	connection.close();
});
