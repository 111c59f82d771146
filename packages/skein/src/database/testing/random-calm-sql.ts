/**
 * Random SQL for the statement format: tables and values as applications have them, so that much of it is logged as
 * SQL, in the shapes that stand near the border: queries in queries, rows that are in each other's way, triggers that
 * note in which order rows came. random-sql.ts has the rest of SQLite, of which nearly everything is logged as rows.
 */
import type { RandomStatement } from "./random-sql.ts";
import { type Chance, createChance } from "./random-sql-chance.ts";

interface CalmTable {
	readonly name: string;
	readonly create: (chance: Chance) => string;
	readonly columns: readonly string[];
	/** Numbers, then texts: what may be set without a thought. */
	readonly numbers: readonly string[];
	readonly texts: readonly string[];
}

const tables: readonly CalmTable[] = [
	{
		name: "k",
		create: (chance) =>
			`CREATE TABLE k (id INTEGER PRIMARY KEY${chance.pick(["", " AUTOINCREMENT"])}, n INTEGER${chance.pick(["", " DEFAULT 7", " CHECK (n < 90)"])}, s TEXT, r REAL${chance.pick(["", ", g AS (n * 2) STORED", ", g AS (upper(s))"])})`,
		columns: ["id", "n", "s", "r"],
		numbers: ["n", "r"],
		texts: ["s"],
	},
	{
		name: "u",
		create: (chance) =>
			`CREATE TABLE u (id INTEGER PRIMARY KEY, n INTEGER${chance.pick(["", " UNIQUE"])}, s TEXT ${chance.pick(["", "UNIQUE", "UNIQUE COLLATE NOCASE", "NOT NULL"])})`,
		columns: ["id", "n", "s"],
		numbers: ["n"],
		texts: ["s"],
	},
	{
		name: "p",
		create: () => "CREATE TABLE p (n, s TEXT)",
		columns: ["n", "s"],
		numbers: ["n"],
		texts: ["s"],
	},
	{
		name: "w",
		create: (chance) =>
			`CREATE TABLE w (n INTEGER, s TEXT, v INTEGER, PRIMARY KEY (${chance.pick(["n, s", "n"])})) WITHOUT ROWID`,
		columns: ["n", "s", "v"],
		numbers: ["v", "n"],
		texts: ["s"],
	},
	{
		name: "c",
		create: (chance) =>
			`CREATE TABLE c (id INTEGER PRIMARY KEY, n INTEGER REFERENCES k (id) ${chance.pick(["", "", "ON DELETE CASCADE", "DEFERRABLE INITIALLY DEFERRED"])}, s TEXT)`,
		columns: ["id", "n", "s"],
		numbers: ["n"],
		texts: ["s"],
	},
	{
		name: "log",
		create: () => "CREATE TABLE log (id INTEGER PRIMARY KEY, n, s)",
		columns: ["id", "n", "s"],
		numbers: ["n"],
		texts: ["s"],
	},
];

export function* randomCalmSql(seed: number): Generator<RandomStatement, never> {
	const chance = createChance(seed);
	let [leader, request] = [0, 0];
	for (let group = 0; ; group++) {
		if (chance.happens(0.1)) leader = (leader + 1 + chance.below(2)) % 3;
		for (let left = 1 + chance.below(4); left > 0; left--, request++) {
			const statements = group === 0 ? tables.map(({ create }) => create(chance)) : drawRequest(chance);
			const interactive = left === 1 && group > 0 && chance.happens(0.1);
			const idempotent = !interactive && chance.happens(0.1);
			for (const sql of statements) yield { sql, request, interactive, idempotent, group, leader };
			if (group === 0) left = 1;
		}
	}
}

function drawRequest(chance: Chance): string[] {
	const run = Array.from({ length: 1 + chance.below(3) }, () => statement(chance));
	return chance.weighted([
		[8, run],
		[3, ["BEGIN", ...run, chance.pick(["COMMIT", "COMMIT", "ROLLBACK"])]],
		[1, ["BEGIN", ...run, "SAVEPOINT s", statement(chance), "ROLLBACK TO s", statement(chance), "COMMIT"]],
	]);
}

function statement(chance: Chance): string {
	return chance.weighted<(chance: Chance) => string>([
		[10, insertValues],
		[4, insertSelect],
		[10, update],
		[5, remove],
		[2, schemaChange],
	])(chance);
}

const texts = ["'a'", "'b'", "'c'", "'A'", "'ab'", "'goose'", "''", "'1'", "NULL"];

function number(chance: Chance): string {
	return chance.weighted([
		[20, String(chance.below(8))],
		[2, "NULL"],
		[2, chance.pick(["1.5", "0.1", "2.0"])],
	]);
}

function value(chance: Chance, table: CalmTable, column: string): string {
	if (table.texts.includes(column)) return chance.pick(texts);
	if (column !== "id") return chance.happens(0.05) ? scalar(chance) : number(chance);
	return chance.weighted([
		[60, "NULL"],
		[30, String(1 + chance.below(25))],
		// Where ids end, SQLite draws them by chance.
		[1, "9223372036854775807"],
	]);
}

function insertValues(chance: Chance): string {
	const table = chance.pick(tables);
	const columns = chance.happens(0.5) ? table.columns : chance.some(table.columns, 1);
	const row = (): string => `(${columns.map((column) => value(chance, table, column)).join(", ")})`;
	const rows = Array.from({ length: chance.pick([1, 1, 2, 4]) }, row).join(", ");
	const conflict = chance.pick(["", "", "", "", " OR IGNORE", " OR REPLACE", " OR FAIL"]);
	const upsert =
		conflict === "" && chance.happens(0.15)
			? chance.pick([
					" ON CONFLICT DO NOTHING",
					` ON CONFLICT (${chance.pick(["id", "s", "n, s"])}) DO UPDATE SET ${assignment(chance, table)}`,
				])
			: "";
	const returning = chance.happens(0.1) ? " RETURNING *" : "";
	return `INSERT${conflict} INTO ${table.name} (${columns.join(", ")}) VALUES ${rows}${upsert}${returning}`;
}

function insertSelect(chance: Chance): string {
	const table = chance.pick(tables);
	const source = chance.pick(tables);
	const columns = table.columns.filter((column) => column !== "id" || chance.happens(0.6));
	const values = columns.map((column) => {
		if (column === "id")
			return chance.pick(source.columns.includes("id") ? ["id", "id", "id + 30", "n"] : ["n"]);
		return chance.happens(0.7) ? chance.pick(source.columns) : value(chance, table, column);
	});
	const tail = chance.pick([
		"",
		"",
		"",
		` ORDER BY ${chance.pick(source.columns)}`,
		" LIMIT 2",
		" GROUP BY n",
	]);
	const conflict = chance.pick(["", "", "", " OR IGNORE", " OR REPLACE"]);
	const distinct = chance.pick(["", "", "", "DISTINCT "]);
	return `INSERT${conflict} INTO ${table.name} (${columns.join(", ")}) SELECT ${distinct}${values.join(", ")} FROM ${source.name} WHERE ${condition(chance, source)}${tail}`;
}

function update(chance: Chance): string {
	const table = chance.pick(tables);
	const conflict = chance.pick(["", "", "", "", "", " OR IGNORE", " OR REPLACE"]);
	const more = chance.happens(0.2) ? `, ${assignment(chance, table)}` : "";
	const from = chance.happens(0.05)
		? ` FROM (SELECT n AS m FROM ${chance.pick(tables).name}) AS o WHERE o.m = ${table.name}.n`
		: ` WHERE ${condition(chance, table)}`;
	return `UPDATE${conflict} ${table.name} SET ${assignment(chance, table)}${more}${from}`;
}

function assignment(chance: Chance, table: CalmTable): string {
	if (chance.happens(0.3)) {
		const text = chance.pick(table.texts);
		return `${text} = ${chance.pick([...texts, `substr(${text} || 'x', 1, 6)`, `upper(${text})`, `coalesce(${text}, 'z')`])}`;
	}
	// The first are set most: others may be keys.
	const column = chance.happens(0.85) ? (table.numbers[0] ?? "n") : chance.pick(table.columns);
	return `${column} = ${chance.weighted([
		[4, number(chance)],
		[4, `${column} + ${chance.pick(["1", "-1", "0.5"])}`],
		[2, `(${column} * 3) % 7`],
		[1, `max(${column}, 3)`],
		[2, scalar(chance)],
		[1, `(SELECT count(*) FROM ${table.name} AS o WHERE o.${column} < ${table.name}.${column})`],
	])}`;
}

/** One value of other rows: that of a count is the same in any order. */
function scalar(chance: Chance): string {
	const { name, columns } = chance.pick(tables);
	const column = chance.pick(columns);
	return `(SELECT ${chance.pick(["count(*)", "count(*)", `count(${column})`, `max(${column})`, column, `group_concat(${column})`])} FROM ${name} WHERE n < ${chance.below(8)})`;
}

function condition(chance: Chance, table: CalmTable): string {
	const other = chance.happens(0.3) ? table.name : chance.pick(tables).name;
	const n = `${table.name}.n`;
	return chance.weighted([
		[6, `${n} ${chance.pick(["=", "<", ">=", "IS NOT"])} ${chance.below(8)}`],
		[2, `s LIKE '${chance.pick(["a", "g", ""])}%'`],
		[2, `${chance.pick(table.columns)} IN (1, 2, 'a')`],
		[2, `${n} IN (SELECT n FROM ${other} WHERE n > ${chance.below(6)})`],
		[2, `EXISTS (SELECT 1 FROM ${other} AS o WHERE o.n = ${n})`],
		[1, `(SELECT count(*) FROM ${other} AS o WHERE o.n > ${n}) > 1`],
		[1, `${n} = ${scalar(chance)}`],
		[1, `${n} IN (SELECT n FROM ${other} ORDER BY s LIMIT 2)`],
		[1, "1"],
	]);
}

function remove(chance: Chance): string {
	const table = chance.pick(tables);
	return `DELETE FROM ${table.name} WHERE ${condition(chance, table)}`;
}

/** Indexes change the order in which rows are found; triggers note it. Few stay for long. */
function schemaChange(chance: Chance): string {
	const table = chance.pick(tables);
	const column = chance.pick(table.columns);
	const place = chance.below(3);
	return chance.weighted([
		[4, `CREATE INDEX IF NOT EXISTS i${place} ON ${table.name} (${column}${chance.pick(["", " DESC"])})`],
		[1, `CREATE UNIQUE INDEX IF NOT EXISTS j${place} ON ${table.name} (${column}, id)`],
		[1, `CREATE UNIQUE INDEX IF NOT EXISTS j${place} ON ${table.name} (abs(n))`],
		[3, `DROP INDEX IF EXISTS ${chance.pick(["i", "j"])}${place}`],
		[4, trigger(chance, table, place)],
		[5, `DROP TRIGGER IF EXISTS t${place}`],
		[1, "ANALYZE"],
	]);
}

function trigger(chance: Chance, { name }: CalmTable, place: number): string {
	const event = chance.pick(["INSERT", "INSERT", "UPDATE", "DELETE"]);
	const row = event === "DELETE" ? "old" : "new";
	const body = chance.pick([
		`INSERT INTO log (n, s) VALUES (${row}.n, '${name}');`,
		`INSERT INTO log (n, s) VALUES (${row}.n, (SELECT count(*) FROM p));`,
		`UPDATE k SET r = r + 1 WHERE n = ${row}.n;`,
		`DELETE FROM p WHERE n = ${row}.n;`,
		`INSERT INTO log (n, s) SELECT n, s FROM p WHERE n < ${row}.n;`,
		`SELECT RAISE(IGNORE) WHERE ${row}.n = 3;`,
	]);
	return `CREATE TRIGGER IF NOT EXISTS t${place} ${chance.pick(["AFTER", "BEFORE"])} ${event} ON ${name} WHEN ${row}.n > ${chance.below(4)} BEGIN ${body} END`;
}
