/**
 * Whether a statement that writes is logged as it is, or as the rows that it changes, and why: found when it is
 * prepared, from what SQLite's authorizer tells (tables, columns, functions, triggers, of everything that the
 * statement will do), from the texts of the schema, and from the statement's own. Anything in doubt is rows.
 * DESIGN.md argues each rule.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Guard } from "../connection.ts";
import { foldName, type StatementSight } from "../statement-sight.ts";
import { looksInto, type StatementShape, shapeOf, triggerDoubts } from "./statement-shape.ts";
import { isWord, type PlacedToken, tokensOf } from "./statement-tokens.ts";
import { readTableFacts, rowidGuard, type TableFacts } from "./table-facts.ts";
import { doubtfulCall, isTrustedFunction, readDoubtfulFunctions } from "./trusted-functions.ts";

export type LoggedAs =
	| {
			readonly as: "statement";
			readonly firesTriggers: boolean;
			/** All that it can do is insert one row, or fail. */
			readonly plainInsert: boolean;
			/**
			 * If it changed a row, it has given a rowid, and the last one is the same everywhere: not of an UPSERT, which
			 * may have given none, nor of a SELECT, of whose rows any may be the last.
			 */
			readonly tellsRowid: boolean;
			/** If it changed no row, it did nothing. */
			readonly nothingIfUnchanged: boolean;
			/** Whether the next rowid of a table that it inserts into may be drawn at random. */
			readonly nearTheEnd: () => boolean;
	  }
	| { readonly as: "rows"; readonly reasons: readonly string[] };

export interface StatementJudge {
	/** `sight`: what SQLite says that it will do; throws when the statement cannot be prepared. */
	judge(sql: string, sight: () => StatementSight): LoggedAs;
	/** The schema may be another one. */
	forget(): void;
}

/** To look at a longer one costs more than its rows, and it says little in many words. */
const maxLength = 16_384;
const maxKnown = 512;

export function createStatementJudge(connection: DatabaseSync, guard: Guard): StatementJudge {
	const known = new Map<string, LoggedAs>();
	const tables = new Map<string, TableFacts | null>();
	const ends = new Map<string, () => boolean>();
	let doubtful: ReadonlySet<string> | null = null;

	/** Prepared once for each table, whatever statements there are. */
	function endOf(facts: TableFacts): () => boolean {
		const found = ends.get(facts.name) ?? rowidGuard(connection, facts);
		ends.set(facts.name, found);
		return found;
	}

	function callIn(tokens: readonly PlacedToken[]): string | null {
		doubtful ??= readDoubtfulFunctions(connection);
		return doubtfulCall(tokens, doubtful);
	}

	function factsOf(name: string): TableFacts | null {
		const folded = foldName(name);
		const found = tables.get(folded);
		if (found !== undefined) return found;
		const facts = readTableFacts(connection, name, callIn);
		tables.set(folded, facts);
		return facts;
	}

	function judge(sql: string, look: () => StatementSight): LoggedAs {
		if (sql.length > maxLength) return rows([`the text has more than ${maxLength} characters`]);
		let sight: StatementSight;
		try {
			sight = look();
		} catch {
			// Running it will say why.
			return rows(["SQLite does not take the statement"]);
		}
		const tokens = tokensOf(sql);
		const inText = callIn(tokens);
		return decide({ connection, guard, factsOf, callIn, endOf }, shapeOf(sql, tokens), sight, inText);
	}

	return {
		judge(sql, sight) {
			const found = known.get(sql);
			if (found !== undefined) return found;
			const judged = judge(sql, sight);
			if (known.size >= maxKnown) known.clear();
			known.set(sql, judged);
			return judged;
		},
		forget() {
			known.clear();
			tables.clear();
			ends.clear();
		},
	};
}

interface Surroundings {
	readonly connection: DatabaseSync;
	readonly guard: Guard;
	readonly factsOf: (table: string) => TableFacts | null;
	/** The first function in a text that is not trusted. */
	readonly callIn: (tokens: readonly PlacedToken[]) => string | null;
	/** Whether the next rowid of the table may be drawn at random. */
	readonly endOf: (facts: TableFacts) => () => boolean;
}

function decide(
	around: Surroundings,
	shape: StatementShape,
	sight: StatementSight,
	inText: string | null,
): LoggedAs {
	const reasons: string[] = [...shape.doubts];
	// The text as well: of a CURRENT_TIMESTAMP in the second row of VALUES the authorizer does not tell.
	const called = [...sight.functions, ...(inText === null ? [] : [inText])];
	for (const name of new Set(called.filter((one) => !isTrustedFunction(one))))
		reasons.push(`${name} may give something else on another member or later`);
	const triggers = judgeTriggers(around, shape, sight, reasons);
	judgeTables(around, sight, [...shape.subqueries, ...triggers.subqueries], reasons);
	for (const [table, columns] of sight.updated) judgeUpdate(around.factsOf(table), columns, reasons);
	if (shape.verb === "insert") judgeInsert(around, shape, sight, reasons);
	if (reasons.length > 0) return rows(reasons);
	const guards = [...sight.inserted].flatMap((table) => {
		const facts = around.factsOf(table);
		return facts === null ? [] : [around.endOf(facts)];
	});
	return {
		as: "statement",
		firesTriggers: triggers.fires,
		plainInsert:
			shape.verb === "insert" &&
			!shape.manyRows &&
			!triggers.fires &&
			!shape.upsert &&
			shape.conflict === null,
		tellsRowid:
			shape.verb === "insert" && shape.source === "values" && !shape.upsert && targetHasRowid(around, sight),
		nothingIfUnchanged: shape.verb !== "insert" && !triggers.fires,
		nearTheEnd: () => guards.some((isNear) => isNear()),
	};
}

function targetHasRowid({ factsOf }: Surroundings, { inserted }: StatementSight): boolean {
	const [target] = inserted;
	return target !== undefined && (factsOf(target)?.rowid ?? null) !== null;
}

/** What is wrong with a table that it touches, and with touching it in two ways. */
function judgeTables(
	around: Surroundings,
	sight: StatementSight,
	subqueries: readonly (readonly PlacedToken[])[],
	reasons: string[],
): void {
	const written = new Set([...sight.inserted, ...sight.updated.keys(), ...sight.deleted]);
	for (const table of new Set([...written, ...sight.read])) {
		const facts = around.factsOf(table);
		if (facts === null && isJsonTable(around.connection, table)) continue;
		if (facts === null) reasons.push(`${table} is a view, a virtual table or a common table expression`);
		else if (facts.doubt !== null) reasons.push(facts.doubt);
		if (written.has(table) && looksInto(subqueries, table))
			reasons.push(`a subquery looks into ${table}, which is written meanwhile`);
		if (written.has(table) && facts?.acts === true)
			reasons.push(
				`foreign keys refer to ${table} and act when its rows go: members do not run these actions`,
			);
	}
}

/** SQLite's own json_each and json_tree, not a client's of that name: their rows are a value's, in its order. */
function isJsonTable(connection: DatabaseSync, name: string): boolean {
	if (!["json_each", "json_tree"].includes(name)) return false;
	const found = connection
		.prepare("SELECT 1 FROM main.sqlite_schema WHERE name = ? COLLATE NOCASE")
		.get(name);
	return found === undefined;
}

function judgeTriggers(
	{ connection, callIn }: Surroundings,
	shape: StatementShape,
	sight: StatementSight,
	reasons: string[],
): { readonly fires: boolean; readonly subqueries: readonly (readonly PlacedToken[])[] } {
	if (sight.inside.size === 0) return { fires: false, subqueries: [] };
	const read = connection.prepare(
		"SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' AND name = ? COLLATE NOCASE",
	);
	const texts: PlacedToken[][] = [];
	for (const name of sight.inside) {
		const sql = read.get(name)?.["sql"];
		if (typeof sql === "string") texts.push(tokensOf(sql));
		else reasons.push(`${name} is a view or a common table expression, which is not looked into`);
	}
	if (texts.length > 1)
		reasons.push("it fires more than one trigger, and which is the first is not promised");
	if (texts.length > 0 && shape.verb !== "insert")
		reasons.push("it fires a trigger for each of its rows, in an order that may differ between members");
	for (const tokens of texts) {
		const call = callIn(tokens);
		if (call !== null)
			reasons.push(`a trigger uses ${call}, which may give something else on another member or later`);
	}
	const judged = texts.map(triggerDoubts);
	reasons.push(...judged.flatMap(({ doubts }) => doubts));
	return { fires: true, subqueries: judged.flatMap(({ subqueries }) => subqueries) };
}

function judgeUpdate(facts: TableFacts | null, columns: ReadonlySet<string>, reasons: string[]): void {
	if (facts === null) return;
	if (facts.uniqueOpaque) {
		reasons.push(
			`${facts.name} has a unique index on an expression, or on part of its rows: any change may be in another row's way`,
		);
	} else if ([...columns].some((column) => facts.uniqueColumns.has(column))) {
		reasons.push(
			`it changes a unique column of ${facts.name}: whether one row is in another's way depends on their order`,
		);
	}
}

function judgeInsert(
	around: Surroundings,
	shape: StatementShape,
	sight: StatementSight,
	reasons: string[],
): void {
	const [first] = sight.inserted;
	const target = first === undefined ? null : around.factsOf(first);
	if (target === null) return;
	if (shape.upsert) {
		const rowids = ["rowid", "_rowid_", "oid", ...(target.alias === null ? [] : [target.alias])];
		const givesRowid = shape.columns?.some((name) => rowids.includes(name)) ?? target.alias !== null;
		if (target.uniqueIndexes + (givesRowid ? 1 : 0) > 1)
			reasons.push(
				`an UPSERT into ${target.name}, which has several unique constraints: which is looked at first is not promised`,
			);
	}
	if (shape.source !== "select") return;
	if (shape.conflict !== null || shape.upsert)
		reasons.push("INSERT … SELECT with a conflict clause: which row gives way depends on their order");
	if (sight.inside.size > 0)
		reasons.push(
			"INSERT … SELECT fires a trigger for each of its rows, in an order that may differ between members",
		);
	if (sight.read.has(target.name))
		reasons.push(`INSERT … SELECT reads the table ${target.name} that it writes`);
	if (target.rowid !== null && !bringsRowids(around, shape, target))
		reasons.push(
			`INSERT … SELECT gives new rowids to rows of ${target.name} in the order in which it finds them`,
		);
}

/** Each row's rowid comes from a column that is one, and never NULL: so none is given here. */
function bringsRowids(
	{ connection, guard, factsOf }: Surroundings,
	shape: StatementShape,
	target: TableFacts,
): boolean {
	const { select } = shape;
	if (target.alias === null || select === null) return false;
	const place = (shape.columns ?? target.columns).indexOf(target.alias);
	if (place < 0 || tokensOf(select).some((token) => isWord(token, ...outerJoins))) return false;
	try {
		const column = guard(() => connection.prepare(select)).columns()[place];
		if (column === undefined || column.table === null || column.column === null) return false;
		const source = factsOf(column.table);
		return source !== null && source.alias !== null && source.alias === foldName(column.column);
	} catch {
		return false;
	}
}

const outerJoins = ["LEFT", "RIGHT", "FULL", "OUTER", "NATURAL"] as const;

function rows(reasons: readonly string[]): LoggedAs {
	return { as: "rows", reasons: [...new Set(reasons)] };
}
