/** Random SQL: values and expressions. Values come from a small stock, so that they meet again and are in each other's way. */
import type { Chance } from "./random-sql-chance.ts";

export type ColumnType = "" | "INTEGER" | "INT" | "TEXT" | "REAL" | "BLOB" | "NUMERIC" | "ANY";

const integers = ["0", "1", "2", "3", "4", "5", "6", "-1", "10"];
const edges = [
	"9223372036854775807",
	"-9223372036854775808",
	"9223372036854775806",
	"9007199254740993",
	"-2147483649",
];
const reals = [
	"0.0",
	"-0.0",
	"1.0",
	"2.5",
	"0.1",
	"9e999",
	"-9e999",
	"1e308",
	"5e-324",
	"9007199254740993.0",
];
const texts = [
	"''",
	"'a'",
	"'b'",
	"'c'",
	"'A'",
	"'a '",
	"'1'",
	"'1.0'",
	"'-0'",
	"'ä'",
	"'🪿 goose'",
	"'it''s'",
	"'a' || char(0) || 'b'",
	"char(0)",
	"CAST(x'ff41' AS TEXT)",
	"CAST(x'c3' AS TEXT)",
];
const blobs = ["x''", "x'00'", "x'31'", "x'61'", "x'00ff'", "zeroblob(3)", "x'2d30'"];

/** Of a moment: no two members may ask for them. */
const moments = [
	"random()",
	"abs(random() % 10)",
	"randomblob(3)",
	"hex(randomblob(2))",
	"datetime('now')",
	"strftime('%f', 'now')",
	"CURRENT_TIMESTAMP",
	"unixepoch('subsec')",
	"last_insert_rowid()",
	"changes()",
	"total_changes() % 5",
];

export function literal(chance: Chance): string {
	const stock = chance.weighted([
		[10, integers],
		[2, edges],
		[3, reals],
		[8, texts],
		[3, blobs],
		[3, ["NULL"]],
	]);
	return chance.pick(stock);
}

/** A value that a STRICT column of the type takes; sometimes one that it does not. */
export function literalOf(chance: Chance, type: ColumnType, strict: boolean): string {
	if (!strict || chance.happens(0.05)) return literal(chance);
	if (chance.happens(0.1)) return "NULL";
	switch (type) {
		case "INTEGER":
		case "INT":
			return chance.pick(chance.happens(0.8) ? integers : edges);
		case "REAL":
			return chance.pick(reals);
		case "TEXT":
			return chance.pick(texts);
		case "BLOB":
			return chance.pick(blobs);
		case "":
		case "NUMERIC":
		case "ANY":
			return literal(chance);
		default: {
			const never: never = type;
			throw new Error(String(never));
		}
	}
}

/** Of the columns only, the same whenever and wherever it is asked, and never an error: for indexes and generated columns. */
export function settledExpression(chance: Chance, columns: readonly string[]): string {
	const column = chance.pick(columns);
	return chance.pick([
		`lower(${column})`,
		`length(${column})`,
		`typeof(${column})`,
		`coalesce(${column}, 0)`,
		`substr(${column} || '!', 1, 20)`,
		`substr(${column}, 1, 1)`,
		`substr(hex(${column}), 1, 20)`,
		`${column} IS NULL`,
		`${column} + 1`,
		`nullif(${column}, 1)`,
		`CASE WHEN ${column} > 2 THEN 'big' ELSE ${column} END`,
	]);
}

/** Anything; where `columns` is empty, without columns. */
export function expression(chance: Chance, columns: readonly string[], depth = 2): string {
	const inner = (): string => expression(chance, columns, depth - 1);
	if (depth === 0 || chance.happens(0.4)) {
		if (columns.length > 0 && chance.happens(0.5)) return chance.pick(columns);
		return literal(chance);
	}
	return chance.weighted<() => string>([
		[3, () => `${inner()} ${chance.pick(["+", "-", "*", "/", "%", "&", "<<"])} ${inner()}`],
		// Cut: what doubles at every update would soon fill the memory.
		[1, () => `substr(${inner()} || ${inner()}, 1, 30)`],
		[3, () => settledExpression(chance, columns.length > 0 ? columns : [literal(chance)])],
		[1, () => `CAST(${inner()} AS ${chance.pick(["TEXT", "BLOB", "INTEGER", "REAL"])})`],
		[1, () => `abs(${inner()})`],
		[1, () => `CASE WHEN ${condition(chance, columns, depth - 1)} THEN ${inner()} ELSE ${inner()} END`],
		[2, () => chance.pick(moments)],
	])();
}

export function condition(chance: Chance, columns: readonly string[], depth = 2): string {
	const value = (): string => expression(chance, columns, Math.max(0, depth - 1));
	const column = columns.length > 0 ? chance.pick(columns) : value();
	return chance.weighted<() => string>([
		[6, () => `${column} ${chance.pick(["=", "<>", "<", ">=", "IS", "IS NOT"])} ${literal(chance)}`],
		[2, () => `${column} ${chance.pick(["=", "<", ">"])} ${value()}`],
		[1, () => `${column} IN (${literal(chance)}, ${literal(chance)}, ${literal(chance)})`],
		[1, () => `${column} BETWEEN ${literal(chance)} AND ${literal(chance)}`],
		[1, () => `typeof(${column}) = ${chance.pick(["'text'", "'integer'", "'null'"])}`],
		[1, () => `random() % 2 = 0`],
		[1, () => chance.pick(["1", "0"])],
	])();
}
