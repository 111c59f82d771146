/** SQL that replicas trip over, see sql-cases.ts: odd keys, very wide tables, and what AUTOINCREMENT keeps. */
import { each, type SqlCase } from "./sql-case.ts";

/** SQLite allows 2000, and an expression no deeper than 1000. */
const manyNames = Array.from({ length: 1100 }, (_, place) => `c${place}`);

export const sqlCasesOfKeys: readonly SqlCase[] = [
	{
		name: "sqlite_sequence with what clients write there: no integers, no names, a name twice",
		before: [
			["create table as1 (id integer primary key autoincrement, x)", "insert into as1 (x) values (1)"],
			["create table as2 (id integer primary key autoincrement, x)", "insert into as2 (x) values (1)"],
			["update sqlite_sequence set seq = '10' where name = 'as1'"],
			["insert into as1 (x) values (2)", "update sqlite_sequence set seq = seq * 1.5"],
			["insert into as1 (x) values (3)"],
			["update sqlite_sequence set seq = 30.5 where name = 'as1'"],
			["update sqlite_sequence set seq = null where name = 'as2'", "insert into as1 (x) values (4)"],
			["insert into as2 (x) values (2)"],
			["insert into sqlite_sequence values (null, 9.5), ('as1', 90), ('other', 'text'), (x'6173', x'00ff')"],
			["insert into sqlite_sequence values (cast(x'ff41' as text), cast(x'fe00' as text)), (5, -0.0)"],
			["update sqlite_sequence set rowid = rowid + 100 where seq = 90", "insert into as1 (x) values (5)"],
		],
		after: [
			["insert into as1 (x) values (6)", "insert into as2 (x) values (3)"],
			["update sqlite_sequence set seq = 'x' where name = 'as2'", "insert into as2 (x) values (4)"],
			["delete from sqlite_sequence where name is null", "drop table as2"],
		],
	},
	{
		name: "REAL in keys of tables WITHOUT ROWID, and keys that only look alike",
		before: [
			["create table rk (k real primary key, x) without rowid"],
			["insert into rk values (3, 1)", "delete from rk where k = 3"],
			["insert into rk values (3, 1), (4, 1), (4.5, 7), (-0.0, 0)"],
			["delete from rk where k = 3", "insert into rk values (3, 1)"],
			["replace into rk values (4, 2), (5, 1), (0, 1)", "delete from rk where k = 5"],
			[
				"insert into rk values (6, 1)",
				"replace into rk values (6, 2)",
				"update rk set k = k + 1 where k > 3",
			],
			["create table lk (k primary key, u unique) without rowid"],
			["insert into lk values (1, 1), ('1', 2), (3, 3), (1.5, 4), (x'31', 5)"],
			[
				"begin",
				"update lk set u = -1 where k = 3",
				"update lk set u = 3 where k = '1'",
				"update lk set u = 2 where k = 3",
				"commit",
			],
		],
		after: each("update rk set k = k - 1", "delete from rk where k = 3", "update lk set u = u + 10"),
	},
	{
		name: "tables of more columns than an expression may be deep",
		before: [
			[`create table wi (id integer primary key, ${manyNames.join(", ")})`],
			[`create table ww (k text primary key, ${manyNames.join(", ")}) without rowid`],
			[`create table wn (${manyNames.join(", ")}, unique (c1))`],
			[
				`create table wk (${manyNames.join(", ")}, x, primary key (${manyNames.slice(0, 1000).join(", ")})) without rowid`,
				`insert into wk (${manyNames.slice(0, 1000).join(", ")}) values (${manyNames.slice(0, 1000).fill("1").join(", ")})`,
				"update wk set x = 2, c1 = 5",
			],
			["insert into wi (id, c5, c1099) values (1, 'five', 'last'), (2, 'five', null), (3, 1, 2)"],
			["insert into ww (k, c0, c1099) values ('a', 1, x'00'), ('b', 2, 2.5)"],
			["insert into wn (c1, c1099) values ('a', 1), ('b', 2)"],
			["update wi set c7 = c5, c1099 = id", "update ww set c3 = 'x', c1099 = null where k = 'a'"],
			[
				"delete from wi where id = 2",
				"update ww set k = 'c' where k = 'b'",
				"replace into wn (c1) values ('a')",
			],
		],
		after: each("update wi set c0 = 9", "delete from ww where k = 'a'", "delete from wn", "delete from wi"),
	},
	{
		name: "keys WITHOUT ROWID that become equal ones: 1 and 1.0, letters under NOCASE, blanks under RTRIM",
		before: [
			["create table eb (k primary key, v) without rowid"],
			["create table ec (k blob, u integer, v, primary key (k, u)) without rowid"],
			["create table ea (k any primary key, v any) strict, without rowid"],
			["create table er (k text collate rtrim primary key) without rowid"],
			["create table en (u integer, k text collate nocase, v, primary key (u, k)) without rowid"],
			["create table ei (k integer primary key, v) without rowid"],
			[
				"insert into eb values (1, 'x'), (100, 'y'), (3, 'z')",
				"insert into ec values (1, 1, 'x'), (5, 2, 'y')",
			],
			["insert into ea values (1, 'x'), (3, 'e')", "insert into er values ('a'), ('b')"],
			["insert into en values (1, 'paris', 1), (2, 'rome', 2)"],
			["insert into ei values (-9223372036854775808, 'least')"],
			["update eb set k = 1.0 where k = 1"],
			["update ec set k = k * 1.0"],
			["update ea set k = 1.0 where k = 1"],
			["update er set k = 'a ' where k = 'a'"],
			["update en set k = 'Paris' where u = 1"],
			["update ei set k = -9223372036854775808.0"],
			["update eb set k = 100.0, v = 'changed' where k = 100", "insert into eb values (7, 'other')"],
			["replace into eb values (3.0, 'replaced')", "replace into er values ('b  ')"],
			["replace into en values (2, 'ROME', 2)", "update en set v = 5 where k = 'rome'"],
			["begin", "update eb set k = 7.0 where k = 7", "update eb set k = 7 where k = 7", "commit"],
			["begin", "update eb set k = 3 where k = 3", "delete from eb where k = 3", "commit"],
		],
		after: [
			["update eb set k = cast(k as integer)", "update ec set k = cast(k as integer), v = u where u = 2"],
			["update er set k = trim(k)", "update en set k = upper(k)", "delete from ea where k = 1"],
			["insert into eb values (9, 9)", "update eb set k = 9.0 where k = 9"],
		],
	},
];
