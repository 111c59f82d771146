/** Random SQL: statements that change rows, of tables, views, FTS5 and R-Tree, by themselves or in a trigger. */
import type { Chance } from "./random-sql-chance.ts";
import { condition, expression, literal, literalOf } from "./random-sql-expressions.ts";
import { names, type Schema, settable, type Table } from "./random-sql-schema.ts";

/** Where a statement stands. */
export interface Place {
	readonly schema: Schema;
	/** In a trigger: the columns of its row; grammar is narrower there, and few rows are touched. */
	readonly trigger: readonly string[] | null;
}

export function rowStatement(chance: Chance, schema: Schema): string | null {
	const views = schema.dependents.flatMap(({ kind, name, table }) => {
		const shown = schema.tables.find((one) => one.name === table);
		return kind === "view" && shown !== undefined ? [viewAsTable(name, shown)] : [];
	});
	const targets = [...schema.tables, ...views];
	if (targets.length === 0) return null;
	return change(chance, chance.pick(targets), { schema, trigger: null });
}

function viewAsTable(name: string, shown: Table): Table {
	return { ...shown, name, rowid: null, uniques: [], columns: settable(shown), referenced: false };
}

export function change(chance: Chance, table: Table, place: Place): string {
	if (table.kind === "fts5") return changeFullText(chance, table, place);
	if (table.kind === "rtree") return changeBoxes(chance, table);
	const statement = chance.weighted([
		[6, insert],
		[4, update],
		[2, remove],
	])(chance, table, place);
	return place.trigger === null ? withCommonTable(chance, statement) : statement;
}

const conflicts = [
	"",
	"",
	"",
	" OR IGNORE",
	" OR REPLACE",
	" OR REPLACE",
	" OR ABORT",
	" OR FAIL",
	" OR ROLLBACK",
];

function conflict(chance: Chance, place: Place): string {
	const chosen = chance.pick(conflicts);
	// Refused everywhere; in a trigger it would only make the trigger fail to exist.
	return chosen === " OR ROLLBACK" && (place.trigger !== null || chance.happens(0.7)) ? "" : chosen;
}

function insert(chance: Chance, table: Table, place: Place): string {
	const verb = chance.happens(0.1) ? "REPLACE" : `INSERT${conflict(chance, place)}`;
	if (place.trigger === null && chance.happens(0.05)) return `${verb} INTO ${table.name} DEFAULT VALUES`;
	const chosen = chance.happens(0.7) ? settable(table) : chance.some(settable(table), 1);
	const withRowid = table.rowid === "rowid" && chance.happens(0.15);
	const columns = [...(withRowid ? ["rowid"] : []), ...names(chosen)];
	const value = (column: Table["columns"][number]): string => {
		if (place.trigger !== null && chance.happens(0.5)) return chance.pick(place.trigger);
		// An alias of the rowid grows by itself, or takes an edge, after which SQLite draws ids by chance.
		if (column.name === "id" && column.type === "INTEGER")
			return chance.weighted([
				[4, "NULL"],
				[5, String(chance.below(12))],
				[1, literal(chance)],
			]);
		return chance.happens(0.8) ? literalOf(chance, column.type, table.strict) : expression(chance, []);
	};
	const row = (): string =>
		[...(withRowid ? [String(chance.below(12))] : []), ...chosen.map(value)].join(", ");
	const many = place.trigger === null ? 1 + chance.below(4) : 1;
	const source = chance.weighted<() => string>([
		[6, () => `VALUES ${Array.from({ length: many }, () => `(${row()})`).join(", ")}`],
		[place.trigger === null ? 1 : 0, () => series(chance, columns.length)],
		[2, () => selectRows(chance, place, columns.length)],
	])();
	return `${verb} INTO ${table.name} (${columns.join(", ")}) ${source}${upsert(chance, table, verb, source)}${returning(chance, table, place)}`;
}

function selectRows(chance: Chance, place: Place, width: number): string {
	const sources = place.schema.tables.filter((table) => table.kind === "table");
	if (sources.length === 0)
		return `SELECT ${Array.from({ length: width }, () => literal(chance)).join(", ")}`;
	const source = chance.pick(sources);
	const columns = names(source.columns);
	const values = Array.from({ length: width }, () =>
		chance.happens(0.7) ? chance.pick(columns) : expression(chance, columns),
	);
	const order = chance.happens(0.3) ? ` ORDER BY ${chance.pick(["random()", ...columns])}` : "";
	return `SELECT ${values.join(", ")} FROM ${source.name} WHERE ${condition(chance, columns)}${order} LIMIT ${place.trigger === null ? 1 + chance.below(6) : 1}`;
}

function series(chance: Chance, width: number): string {
	const values = Array.from({ length: width }, () =>
		chance.pick(["n", "n", "n % 3", "'n' || n", "NULL", "random()", "n * -0.5"]),
	);
	return `SELECT ${values.join(", ")} FROM (WITH RECURSIVE c (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c LIMIT ${2 + chance.below(12)}) SELECT n FROM c)`;
}

function upsert(chance: Chance, table: Table, verb: string, source: string): string {
	if (verb !== "INSERT" || !chance.happens(0.25)) return "";
	// Without a WHERE, ON CONFLICT after a SELECT could be read as the ON of a join.
	const before = source.startsWith("SELECT") && !source.includes("WHERE") ? " WHERE 1" : "";
	const target =
		table.uniques.length > 0 && chance.happens(0.8) ? ` (${chance.pick(table.uniques).join(", ")})` : "";
	if (before !== "" || source.includes("LIMIT")) return "";
	if (target === "" || chance.happens(0.2)) return ` ON CONFLICT${target} DO NOTHING`;
	const columns = settable(table);
	const changed = chance.pick(columns);
	const value = chance.pick([
		`excluded.${changed.name}`,
		literalOf(chance, changed.type, table.strict),
		expression(chance, names(columns)),
	]);
	const where = chance.happens(0.3)
		? ` WHERE ${table.name}.${chance.pick(columns).name} IS NOT ${literal(chance)}`
		: "";
	return ` ON CONFLICT${target} DO UPDATE SET ${changed.name} = ${value}${where}`;
}

function returning(chance: Chance, table: Table, place: Place): string {
	if (place.trigger !== null || !chance.happens(0.15)) return "";
	return ` RETURNING ${chance.pick(["*", chance.pick(names(table.columns)), expression(chance, names(table.columns))])}`;
}

function update(chance: Chance, table: Table, place: Place): string {
	const columns = names(table.columns);
	const changed = chance.some(settable(table), 1).slice(0, 2);
	const assignments = changed.map(({ name, type }) => {
		const value = chance.weighted<() => string>([
			[5, () => literalOf(chance, type, table.strict)],
			[2, () => `${chance.pick(columns)}`],
			[1, () => `${name} + ${chance.pick(["1", "-1", "10"])}`],
			// Equal to what it is, in keys too, and yet another value.
			[
				1,
				() => chance.pick([`${name} * 1.0`, `CAST(${name} AS INTEGER)`, `upper(${name})`, `${name} || ' '`]),
			],
			[2, () => expression(chance, columns)],
			[place.trigger === null ? 0 : 5, () => chance.pick(place.trigger ?? [])],
		])();
		return `${name} = ${value}`;
	});
	if (table.rowid !== null && chance.happens(0.15))
		assignments.push(
			`${table.rowid} = ${chance.pick([`${table.rowid} + ${chance.pick(["1", "7", "-1"])}`, String(chance.below(12))])}`,
		);
	const set = `UPDATE${conflict(chance, place)} ${table.name} SET ${assignments.join(", ")}`;
	const sources = place.schema.tables.filter((one) => one.kind === "table" && one.name !== table.name);
	if (sources.length > 0 && chance.happens(0.15)) {
		const source = chance.pick(sources);
		const theirs = chance.pick(names(source.columns));
		const [first] = changed;
		const ours = chance.pick(columns);
		if (first !== undefined)
			return `UPDATE${conflict(chance, place)} ${table.name} SET ${first.name} = o.x FROM (SELECT ${theirs} AS x FROM ${source.name} LIMIT 4) AS o WHERE ${table.name}.${ours} ${chance.pick(["=", "<>", "IS NOT"])} o.x${returning(chance, table, place)}`;
	}
	return `${set}${where(chance, table, place)}${returning(chance, table, place)}`;
}

function remove(chance: Chance, table: Table, place: Place): string {
	return `DELETE FROM ${table.name}${where(chance, table, place)}${returning(chance, table, place)}`;
}

/** In a trigger it names few rows: each of them may fire the next. */
function where(chance: Chance, table: Table, place: Place): string {
	const columns = names(table.columns);
	if (place.trigger !== null) {
		const column = chance.pick(columns);
		const value = chance.happens(0.6) ? chance.pick(place.trigger) : literal(chance);
		return table.rowid === null
			? ` WHERE ${column} = ${value}`
			: ` WHERE ${table.rowid} IN (SELECT ${table.rowid} FROM ${table.name} WHERE ${column} = ${value} LIMIT 2)`;
	}
	return chance.weighted<() => string>([
		[6, () => ` WHERE ${condition(chance, columns)}`],
		[
			table.rowid === null ? 0 : 3,
			() => ` WHERE ${table.rowid} ${chance.pick(["=", "=", ">", "<"])} ${chance.below(10)}`,
		],
		[
			table.rowid === null ? 0 : 1,
			() =>
				` WHERE ${table.rowid} IN (SELECT ${table.rowid} FROM ${table.name} ORDER BY ${chance.pick(["random()", ...columns])} LIMIT ${1 + chance.below(3)})`,
		],
		[1, () => ""],
	])();
}

function withCommonTable(chance: Chance, statement: string): string {
	if (!chance.happens(0.06)) return statement;
	return `WITH RECURSIVE k (n) AS (VALUES (${literal(chance)}) UNION SELECT n + 1 FROM k WHERE n < 3 LIMIT 5) ${statement}`;
}

const words = ["goose", "skein", "sky", "a", "the flock", "ä", "x1", "", "goose goose", "long long wing"];

function changeFullText(chance: Chance, table: Table, place: Place): string {
	const text = (): string =>
		place.trigger !== null && chance.happens(0.5)
			? chance.pick(place.trigger)
			: chance.happens(0.85)
				? `'${chance.pick(words)} ${chance.pick(words)}'`
				: literal(chance);
	const column = chance.pick(["title", "body"]);
	const rowid = String(1 + chance.below(8));
	return chance.weighted<() => string>([
		[6, () => `INSERT INTO ${table.name} (title, body) VALUES (${text()}, ${text()})`],
		[2, () => `INSERT OR REPLACE INTO ${table.name} (rowid, ${column}) VALUES (${rowid}, ${text()})`],
		[
			2,
			() => `UPDATE ${table.name} SET ${column} = ${text()} WHERE rowid ${chance.pick(["=", "<"])} ${rowid}`,
		],
		[2, () => `DELETE FROM ${table.name} WHERE rowid ${chance.pick(["=", ">"])} ${rowid}`],
		[
			place.trigger === null ? 1 : 0,
			() => `DELETE FROM ${table.name} WHERE ${table.name} MATCH '${chance.pick(["goose", "sky", "a"])}'`,
		],
		[
			place.trigger === null ? 1 : 0,
			() =>
				`INSERT INTO ${table.name} (${table.name}${chance.pick([") VALUES ('optimize'", ") VALUES ('rebuild'", ", rank) VALUES ('merge', 4", ", rank) VALUES ('automerge', 2", ") VALUES ('delete-all'", ") VALUES ('integrity-check'"])})`,
		],
	])();
}

function changeBoxes(chance: Chance, table: Table): string {
	const id = chance.pick(["NULL", ...Array.from({ length: 8 }, (_, place) => String(place))]);
	const low = chance.below(9);
	return chance.weighted<() => string>([
		[
			6,
			() =>
				`INSERT${chance.pick(["", " OR REPLACE", " OR IGNORE"])} INTO ${table.name} (id, x0, x1, y0, y1) VALUES (${id}, ${low}, ${low + chance.below(3)}, ${chance.pick(["-1.5", "0", "0.1"])}, 7)`,
		],
		[
			1,
			() =>
				`INSERT INTO ${table.name} (x0, x1, y0, y1) SELECT n, n + 1, n * 0.5, n FROM (WITH RECURSIVE c (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c LIMIT ${chance.pick(["3", "60"])}) SELECT n FROM c)`,
		],
		[
			2,
			() =>
				`UPDATE ${table.name} SET ${chance.pick(["x1 = x1 + 1", "y0 = -3", "id = id + 100"])} WHERE id ${chance.pick(["=", "<"])} ${id}`,
		],
		[2, () => `DELETE FROM ${table.name} WHERE ${chance.pick([`id = ${id}`, `x0 > ${low}`, "id % 2"])}`],
	])();
}
