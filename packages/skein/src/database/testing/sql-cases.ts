/**
 * SQL that replicas are known to trip over, as data: every log format runs it, in one process
 * (changes/equality.test.ts) and on a real cluster (test/sql-equality.test.ts). A case is a list of
 * requests, a request a list of statements; `after` runs when another member leads.
 */

export interface SqlCase {
	readonly name: string;
	readonly before: readonly (readonly string[])[];
	readonly after: readonly (readonly string[])[];
}

/** Each statement a request of its own. */
function each(...statements: readonly string[]): string[][] {
	return statements.map((statement) => [statement]);
}

export const sqlCases: readonly SqlCase[] = [
	{
		name: "triggers: before, after, on views, and triggers that fire triggers",
		before: each(
			"create table tr_a (id integer primary key, x)",
			"create table tr_log (n, what)",
			"create table tr_sum (id integer primary key, total)",
			"insert into tr_sum values (1, 0)",
			"create trigger tr_1 after insert on tr_a begin insert into tr_log values (new.id, 'in'); update tr_sum set total = total + new.x; end",
			"create trigger tr_2 before delete on tr_a begin insert into tr_log values (old.id, 'out'); end",
			"create trigger tr_3 after insert on tr_log begin update tr_sum set total = total + 100; end",
			"create view tr_view as select id, x from tr_a",
			"create trigger tr_4 instead of update on tr_view begin update tr_a set x = new.x * 2 where id = old.id; end",
			"insert into tr_a (x) values (1), (2), (3)",
			"delete from tr_a where id = 2",
			"update tr_view set x = 21 where id = 1",
		),
		after: each("insert into tr_a (x) values (9)", "update tr_view set x = 5", "delete from tr_a"),
	},
	{
		name: "triggers that delete, also everything, also what the request wrote before",
		before: [
			["create table td_log (id integer primary key, x)"],
			["create table td_a (id integer primary key, x)"],
			[
				"create trigger td_1 after insert on td_a when new.x = 'one' begin delete from td_log where id = 1; end",
			],
			["create trigger td_2 after insert on td_a when new.x = 'all' begin delete from td_log; end"],
			["insert into td_log values (1, 'a'), (2, 'b')"],
			["insert into td_a (x) values ('one')"],
			[
				"insert into td_log values (1, 'again')",
				"insert into td_a (x) values ('all')",
				"insert into td_log values (1, 'stays')",
			],
			["create trigger td_3 after delete on td_log begin update td_a set x = 'seen' where id = 1; end"],
			["delete from td_log"],
		],
		after: [
			["insert into td_log values (5, 'e')"],
			["insert into td_a (x) values ('all')"],
			["drop trigger td_2"],
			["insert into td_log values (6, 'f')", "insert into td_a (x) values ('all')"],
		],
	},
	{
		name: "foreign keys: cascade, set null, set default, restrict, and a dropped parent",
		before: each(
			"create table fk_p (id integer primary key, k text unique)",
			"create table fk_c (id integer primary key, p integer references fk_p on delete cascade on update cascade)",
			"create table fk_n (k text default 'none' references fk_p (k) on delete set null)",
			"insert into fk_p values (1, 'a'), (2, 'b'), (3, 'none')",
			"insert into fk_c values (10, 1), (11, 1), (12, 2)",
			"insert into fk_n values ('a'), ('b'), (null)",
			"update fk_p set id = 5 where id = 1",
			"delete from fk_p where k = 'b'",
			"create table fk_gone (id integer primary key)",
			"create table fk_child (id integer primary key, g references fk_gone on delete cascade)",
			"insert into fk_gone values (1), (2)",
			"insert into fk_child values (1, 1), (2, 2)",
			"drop table fk_gone",
		),
		after: each("delete from fk_p where id = 5", "insert into fk_c values (13, 99)", "drop table fk_child"),
	},
	{
		name: "tables without a primary key, duplicates, rowids that change",
		before: each(
			"create table np (x, y)",
			"insert into np values (1, 'a'), (1, 'a'), (2, null)",
			"insert into np (rowid, x) values (1000, 'far')",
			"update np set rowid = rowid + 7 where x = 1",
			"delete from np where rowid = (select max(rowid) from np)",
			"insert into np select x, y from np",
		),
		after: each("insert into np values ('after', 1)", "delete from np where x = 2", "delete from np"),
	},
	{
		name: "NULL in primary keys, and keys that are no integers keep their rowids",
		before: each(
			"create table nk (k text primary key, x)",
			"insert into nk values (null, 1), (null, 2), ('a', 3)",
			"insert into nk (rowid, k) values (500, 'b')",
			"create table ck (a, b, x, primary key (a, b))",
			"insert into ck values (1, null, 'n'), (1, null, 'm'), (1, 1, 'o')",
			"update nk set x = 9 where k is null",
			"delete from ck where x = 'm'",
			"create table dk (id integer primary key desc, x)",
			"insert into dk values (null, 1), (5, 2)",
		),
		after: each(
			"insert into nk values (null, 4)",
			"update ck set b = 7 where b is null",
			"insert into dk values (7, 7)",
		),
	},
	{
		name: "AUTOINCREMENT: ids are not used again, also where no row is left",
		before: [
			["create table ai (id integer primary key autoincrement, x)"],
			["begin", "insert into ai (x) values ('gone')", "delete from ai", "commit"],
			["insert into ai (x) values ('second')"],
			["update sqlite_sequence set seq = 100 where name = 'ai'"],
			["insert into ai (x) values ('hundred and one')"],
			["delete from ai where id > 100"],
			[
				"begin",
				"insert into ai values (500, 'far')",
				"update sqlite_sequence set seq = 101 where name = 'ai'",
				"commit",
			],
			[
				"create table ai0 (id integer primary key autoincrement)",
				"insert into ai0 default values",
				"drop table ai0",
			],
		],
		after: each(
			"insert into ai (x) values ('next')",
			"create table ai2 (id integer primary key autoincrement)",
			"insert into ai2 default values",
		),
	},
	{
		name: "CREATE TABLE AS, with what is asked only once",
		before: each(
			"create table cs (x)",
			"insert into cs values (1), (2), (3)",
			"create table ca as select x, random() as r, hex(randomblob(8)) as h from cs",
			"create table if not exists ca as select 1",
		),
		after: each("insert into ca values (4, 5, 6)", "create table cb as select * from ca", "drop table ca"),
	},
	{
		name: "what differs by the moment: random, time, defaults",
		before: each(
			"create table mo (id integer primary key, r default (random()), at default current_timestamp, d default (datetime('now', 'subsec')))",
			"insert into mo default values",
			"insert into mo (r) values (random()), (abs(random()) % 10)",
			"update mo set r = random() where id = 2",
		),
		after: each(
			"insert into mo default values",
			"delete from mo where id in (select id from mo order by random() limit 1)",
		),
	},
	{
		name: "user_version and application_id",
		before: each("pragma user_version = 7", "pragma application_id = 1234"),
		after: each("pragma user_version = 8"),
	},
	{
		name: "FTS5, FTS4 and R-Tree",
		before: each(
			"create virtual table ft using fts5 (title, body)",
			"insert into ft values ('one', 'a goose in the sky'), ('two', 'a skein of geese')",
			"update ft set body = 'another goose' where title = 'two'",
			"create virtual table f4 using fts4 (body)",
			"insert into f4 values ('hello world'), ('goodbye world')",
			"create virtual table rt using rtree (id, x0, x1, y0, y1)",
			"insert into rt values (1, 0, 1, 0, 1), (2, 5, 6, 5, 6)",
			"insert into ft (ft) values ('optimize')",
		),
		after: each(
			"insert into ft values ('three', 'and a third goose')",
			"delete from ft where title = 'one'",
			"delete from f4 where docid = 1",
			"insert into f4 values ('after')",
			"update rt set x1 = 9 where id = 2",
			"insert into rt values (3, 7, 8, 7, 8)",
		),
	},
	{
		name: "external-content FTS5 kept by triggers",
		before: each(
			"create table doc (id integer primary key, body)",
			"create virtual table doc_fts using fts5 (body, content = 'doc', content_rowid = 'id')",
			"create trigger doc_in after insert on doc begin insert into doc_fts (rowid, body) values (new.id, new.body); end",
			"create trigger doc_out after delete on doc begin insert into doc_fts (doc_fts, rowid, body) values ('delete', old.id, old.body); end",
			"insert into doc (body) values ('alpha beta'), ('beta gamma')",
		),
		after: each("insert into doc (body) values ('gamma delta')", "delete from doc where id = 1"),
	},
	{
		name: "WITHOUT ROWID, STRICT, generated columns",
		before: each(
			"create table wr (a text, b integer, c, primary key (a, b)) without rowid",
			"insert into wr values ('x', 1, 'p'), ('x', 2, 'q'), ('y', 1, null)",
			"update wr set b = b + 10",
			"create table st (id integer primary key, t text, i integer, a any) strict",
			"insert into st values (1, 't', 2, x'00ff'), (2, 'u', 3, 1.5)",
			"insert into st values (3, 't', 'no integer', 0)",
			"create table ge (a integer, b generated always as (a * 2) stored, c as (a + 1))",
			"insert into ge (a) values (1), (2)",
			"create table gk (id integer primary key, a, b as (a || '!') stored unique)",
			"insert into gk (a) values ('x'), ('y')",
		),
		after: each(
			"update wr set c = 'new' where a = 'x'",
			"update ge set a = 5 where a = 1",
			"update gk set a = 'z' where id = 1",
		),
	},
	{
		name: "renames, added and dropped columns, indexes, in one request with rows",
		before: [
			["create table re (id integer primary key, old, extra)"],
			[
				"begin",
				"insert into re values (1, 'a', 1)",
				"alter table re rename column old to new",
				"insert into re values (2, 'b', 2)",
				"alter table re add column z default 'zed'",
				"update re set z = 'set' where id = 1",
				"commit",
			],
			["alter table re rename to renamed"],
			["create unique index re_new on renamed (new)"],
			["insert or replace into renamed (new) values ('a')"],
			["alter table renamed drop column extra"],
			["begin", "create table undone (x)", "insert into undone values (1)", "rollback"],
		],
		after: [
			["insert into renamed (new, z) values ('c', 'late')"],
			["drop index re_new"],
			["reindex"],
			["analyze"],
		],
	},
	{
		name: "values at their limits",
		before: each(
			"create table li (id integer primary key, v)",
			"insert into li (v) values (9223372036854775807), (-9223372036854775808), (9007199254740993)",
			"insert into li (v) values (1e308), (-0.0), (9e999), (-9e999), (0.1)",
			"insert into li (v) values (x''), (zeroblob(3)), (x'00ff'), (cast(x'ff41' as text)), ('a' || char(0) || 'b')",
			"insert into li values (9223372036854775807, 'last id')",
			"insert into li values (-5, 'before the first')",
			"create table lt (v)",
			"insert into lt select v from li order by id",
		),
		after: each(
			"update li set v = v where id < 4",
			"update lt set v = cast(x'fe42' as text) where rowid = 1",
		),
	},
	{
		name: "huge rows, and many rows",
		before: each(
			"create table hu (id integer primary key, b)",
			"insert into hu values (1, randomblob(3000000)), (2, zeroblob(1000000))",
			"create table hn (b)",
			"insert into hn values (randomblob(2000000))",
			"with recursive c (n) as (values (1) union all select n + 1 from c limit 3000) insert into hu (b) select n from c",
		),
		after: each(
			"update hu set b = id where id > 100",
			"delete from hu where id % 2",
			"update hn set b = b || x'01'",
		),
	},
	{
		name: "unique values that swap, upserts, REPLACE",
		before: [
			["create table sw (id integer primary key, k unique)"],
			["insert into sw values (1, 1), (2, 2), (3, 3)"],
			[
				"begin",
				"update sw set k = -1 where id = 1",
				"update sw set k = 1 where id = 2",
				"update sw set k = 2 where id = 1",
				"commit",
			],
			["create table sn (a unique, b unique, x)"],
			["insert into sn values (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three')"],
			["insert or replace into sn values (1, 2, 'both gone')"],
			["insert into sn values (3, 9, 'up') on conflict (a) do update set x = excluded.x, b = 10"],
			["update or replace sn set a = 3 where a = 1"],
			["insert or ignore into sw values (4, 3)"],
			["replace into sw values (2, 3)"],
			["create table sc (k text collate nocase primary key, x) without rowid"],
			["insert into sc values ('A', 1)"],
			["replace into sc values ('a', 2)"],
			["create table sd (k text not null default 'd' unique, x)"],
			["insert into sd values ('d', 1)"],
			["begin", "insert or replace into sd values (null, 2)", "delete from sd where x = 2", "commit"],
		],
		after: [
			["insert into sw values (9, 1) on conflict (k) do update set k = 50"],
			["replace into sn values (3, 3, 'again')"],
		],
	},
	{
		name: "REPLACE by a unique index on an expression, its new row changed or gone in the same group",
		before: [
			["create table xu (k text, x, b)"],
			["create unique index xu_k on xu (lower(k))"],
			["insert into xu (k, x) values ('A', 1), ('B', 2), ('C', 3), ('D', 4), ('E', 5), ('F', 6), ('G', 7)"],
			["insert or replace into xu (k, x) values ('a', 10)", "delete from xu where x = 10"],
			[
				"begin",
				"update or replace xu set k = 'b', x = 20 where k = 'C'",
				"update xu set k = 'moved' where x = 20",
				"commit",
			],
			["replace into xu (k, x) values ('d', 40)", "update xu set k = 'other' where x = 40"],
			["insert or replace into xu (k, x) values ('e', 50)"],
			["update xu set k = 'renamed', b = cast(x'ff41' as text) where x = 50"],
			["insert or replace into xu (k, x) values ('RENAMED', 51), ('Renamed', 52), ('f', 60), ('F', 61)"],
			["delete from xu where x = 61"],
			["create table xt (id integer primary key, k text)"],
			[
				"create trigger xt_1 after insert on xt begin insert or replace into xu (k, x) values (new.k, new.id); update xu set k = k || '!' where x = new.id; end",
			],
			["insert into xt values (70, 'g'), (80, 'OTHER')"],
			[
				"create table xp (id text primary key, mail text collate nocase, gone default 0, lower as (lower(mail)))",
			],
			["create unique index xp_mail on xp (lower, iif(id > 'z', 1, 0)) where gone = 0"],
			["create unique index xp_part on xp (coalesce(mail, id)) where gone = 0"],
			["insert into xp values ('a', 'Ann', 0), ('b', 'ANN', 1), ('c', 'Bob', 0), ('d', null, 0)"],
			[
				"begin",
				"savepoint one",
				"insert or replace into xp values ('e', 'bob', 0)",
				"rollback to one",
				"insert or replace into xp values ('f', 'ann', 0)",
				"update xp set mail = 'zoe' where id = 'f'",
				"insert or replace into xp (id, mail) values ('g', 'd')",
				"delete from xp where id = 'g'",
				"commit",
			],
		],
		after: [
			["insert or replace into xp values ('h', 'BOB', 0)", "update xp set mail = 'eve' where id = 'h'"],
			["begin", "replace into xu (k, x) values ('G!', 90)", "rollback"],
			["replace into xu (k, x) values ('g!', 91)", "delete from xu where x = 91"],
		],
	},
	{
		name: "savepoints, and statements that fail",
		before: [
			["create table sp (id integer primary key, x unique)"],
			[
				"savepoint a",
				"insert into sp values (1, 1)",
				"savepoint b",
				"insert into sp values (2, 2)",
				"rollback to b",
				"insert into sp values (3, 3)",
				"release a",
			],
			[
				"begin",
				"insert into sp values (4, 4)",
				"insert into sp values (5, 1)",
				"insert into sp values (6, 6)",
				"commit",
			],
			["insert into sp values (7, 7), (8, 1)"],
			["insert or fail into sp values (9, 9), (10, 1), (11, 11)"],
			[
				"begin",
				"insert into sp values (12, 12)",
				"savepoint c",
				"create table sp_gone (x)",
				"rollback to c",
				"commit",
			],
		],
		after: [["begin", "insert into sp values (20, 20)", "rollback"], ["insert into sp values (21, 21)"]],
	},
	{
		name: "names that need quotes, UPDATE FROM, RETURNING, common tables",
		before: each(
			'create table "odd ""name" ("a b", "select", "ROWID")',
			'insert into "odd ""name" values (1, 2, 3), (1, 2, 3)',
			"create table uf (id integer primary key, x)",
			"insert into uf values (1, 1), (2, 2), (3, 3)",
			"update uf set x = o.y from (select 2 as id, 'joined' as y) as o where uf.id = o.id",
			"with big as (select id from uf where id > 2) delete from uf where id in (select id from big) returning id",
			"insert into uf (x) select x from uf returning id, x",
		),
		after: each('update "odd ""name" set "select" = 9 where rowid = 1', "delete from uf returning *"),
	},
];
