/**
 * What the text of a statement, or of a trigger, says about whether it does the same on every member: everything
 * in it whose effect depends on the order in which rows are found is a doubt. Members may find rows in other
 * orders, since SQLite chooses its way by statistics that a connection has read, and other versions choose otherwise.
 *
 * It never judges grammar: the text was prepared by SQLite.
 */
import { foldName } from "../statement-sight.ts";
import { behindParentheses, isName, isSign, isWord, type PlacedToken } from "./statement-tokens.ts";

export interface StatementShape {
	readonly verb: "insert" | "update" | "delete" | "other";
	/** Of an INSERT: rows in the order of the text, or those that a SELECT finds. */
	readonly source: "values" | "select";
	/** VALUES of more than one row, or a SELECT. */
	readonly manyRows: boolean;
	/** The named columns of an INSERT, folded; null: all. */
	readonly columns: readonly string[] | null;
	readonly upsert: boolean;
	/** OR IGNORE, OR REPLACE … , REPLACE; null: none, or ABORT. */
	readonly conflict: string | null;
	/** The text of an INSERT's SELECT, up to RETURNING; null: there is none. */
	readonly select: string | null;
	/** Parts in parentheses that are queries, which must not look into a table that is written. */
	readonly subqueries: readonly (readonly PlacedToken[])[];
	/** Why it may not do the same everywhere, in words. */
	readonly doubts: readonly string[];
}

const orderDependent: Readonly<Record<string, string>> = {
	LIMIT: "a LIMIT takes the first rows, and which these are may differ between members",
	GROUP: "GROUP BY takes one row of a group for the others",
	UNION: "a compound SELECT takes one row for equal ones",
	INTERSECT: "a compound SELECT takes one row for equal ones",
	EXCEPT: "a compound SELECT takes one row for equal ones",
	OVER: "a window function depends on the order of rows that are equal to it",
	WITH: "a common table expression is not looked into",
	FAIL: "FAIL keeps the rows before the one that failed",
};
const subqueryDoubt = "a subquery whose first row, or the order of whose rows, may differ between members";

export function shapeOf(sql: string, tokens: readonly PlacedToken[]): StatementShape {
	const [first] = tokens;
	if (isWord(first, "INSERT", "REPLACE")) return shapeOfInsert(sql, tokens);
	const verb = isWord(first, "UPDATE") ? "update" : isWord(first, "DELETE") ? "delete" : "other";
	const { doubts, subqueries } = examine(tokens, null);
	const conflict = conflictAt(tokens, 1);
	if (conflict !== null)
		doubts.push(`UPDATE OR ${conflict}: which row gives way depends on the order of the rows`);
	if (verb === "update" && hasFrom(tokens))
		doubts.push("UPDATE … FROM: which of several rows is taken may differ between members");
	return {
		verb,
		source: "values",
		manyRows: verb !== "other",
		columns: null,
		upsert: false,
		conflict,
		select: null,
		subqueries,
		doubts: [...new Set(doubts)],
	};
}

/** Of the text of a trigger: its body's statements, each of which writes without the words of its own that are doubted. */
export function triggerDoubts(tokens: readonly PlacedToken[]): {
	readonly doubts: readonly string[];
	readonly subqueries: readonly (readonly PlacedToken[])[];
} {
	const { doubts, subqueries } = examine(tokens, "trigger");
	for (const [place, token] of tokens.entries()) {
		if (!isWord(token, "UPDATE") || !startsStatement(tokens, place)) continue;
		const end = tokens.findIndex((one, at) => at > place && isSign(one, ";"));
		const statement = tokens.slice(place, end < 0 ? tokens.length : end);
		if (conflictAt(statement, 1) !== null || hasFrom(statement))
			doubts.push("a trigger with UPDATE OR … or UPDATE … FROM");
	}
	return { doubts, subqueries };
}

function shapeOfInsert(sql: string, tokens: readonly PlacedToken[]): StatementShape {
	const conflict = isWord(tokens[0], "REPLACE") ? "REPLACE" : conflictAt(tokens, 1);
	const into = tokens.findIndex((token) => isWord(token, "INTO"));
	let place = isSign(tokens[into + 2], ".") ? into + 4 : into + 2;
	if (isWord(tokens[place], "AS")) place += 2;
	let columns: string[] | null = null;
	if (isSign(tokens[place], "(")) {
		const end = behindParentheses(tokens, place);
		const names = tokens.slice(place + 1, end - 1).filter((token) => !isSign(token, ","));
		columns = names.map(({ text }) => foldName(text));
		place = end;
	}
	const isSelect = isWord(tokens[place], "SELECT");
	const { doubts, subqueries } = examine(tokens, isSelect ? place : null);
	const tail = endOfSource(tokens, place);
	const returningAt = tokens[tail]?.start ?? sql.length;
	return {
		verb: "insert",
		source: isSelect ? "select" : "values",
		manyRows: isSelect || depthZero(tokens.slice(place, tail)).some((token) => isSign(token, ",")),
		columns,
		upsert: depthZero(tokens).some((token) => isWord(token, "CONFLICT")),
		conflict,
		select: isSelect ? sql.slice(tokens[place]?.start ?? 0, returningAt) : null,
		subqueries,
		doubts: [...new Set(doubts)],
	};
}

/** `source`: where the SELECT of an INSERT stands; "trigger": statements stand behind each other. */
function examine(
	tokens: readonly PlacedToken[],
	source: number | "trigger" | null,
): { doubts: string[]; subqueries: PlacedToken[][] } {
	const doubts: string[] = [];
	const subqueries: PlacedToken[][] = [];
	for (const [place, token] of tokens.entries()) {
		// By any spelling: "count"(x) is a call as well.
		if (isName(token, "count") && isSign(tokens[place + 1], "(") && !isWholeCount(tokens, place))
			doubts.push("an aggregate beside other columns");
		if (token.type !== "word") continue;
		const doubt = orderDependent[token.text];
		if (doubt !== undefined) doubts.push(doubt);
		if (token.text === "DISTINCT" && isWord(tokens[place - 1], "SELECT"))
			doubts.push("SELECT DISTINCT takes one row for equal ones");
		if (token.text === "IN" && !isSign(tokens[place + 1], "("))
			subqueries.push([...namesBehind(tokens, place)]);
		if (token.text !== "SELECT" || place === source) continue;
		const isStatement = source === "trigger" && startsStatement(tokens, place);
		if (isStatement && isWord(tokens[place + 1], "RAISE", "CASE")) continue;
		if (!isSet(tokens, place) && !isCount(tokens, place)) doubts.push(subqueryDoubt);
		else subqueries.push(tokens.slice(place, behindParentheses(tokens, place - 1)));
	}
	if (tokens.some((token) => isWord(token, "SELECT")) && hasExtreme(tokens))
		doubts.push("max and min take one of equal values that may look different (1 and 1.0)");
	return { doubts, subqueries };
}

/** x IN (SELECT …), EXISTS (SELECT …): only what is in it counts. */
function isSet(tokens: readonly PlacedToken[], select: number): boolean {
	return isSign(tokens[select - 1], "(") && isWord(tokens[select - 2], "IN", "EXISTS");
}

/** (SELECT count(…) FROM …): one row, whatever the order. */
function isCount(tokens: readonly PlacedToken[], select: number): boolean {
	return isSign(tokens[select - 1], "(") && isWholeCount(tokens, select + 1);
}

function isWholeCount(tokens: readonly PlacedToken[], count: number): boolean {
	if (!isWord(tokens[count], "COUNT") || !isWord(tokens[count - 1], "SELECT")) return false;
	if (!isSign(tokens[count - 2], "(") || !isSign(tokens[count + 1], "(")) return false;
	return isWord(tokens[behindParentheses(tokens, count + 1)], "FROM");
}

function hasExtreme(tokens: readonly PlacedToken[]): boolean {
	return tokens.some(
		(token, place) => (isName(token, "max") || isName(token, "min")) && isSign(tokens[place + 1], "("),
	);
}

/** A table whose rows are the set: `x IN t`, `x IN main.t`. */
function namesBehind(tokens: readonly PlacedToken[], place: number): PlacedToken[] {
	const last = isSign(tokens[place + 2], ".") ? tokens[place + 3] : tokens[place + 1];
	return last === undefined ? [] : [last];
}

function startsStatement(tokens: readonly PlacedToken[], place: number): boolean {
	return isWord(tokens[place - 1], "BEGIN") || isSign(tokens[place - 1], ";");
}

/** The word behind OR, where a verb may have one. */
function conflictAt(tokens: readonly PlacedToken[], place: number): string | null {
	if (!isWord(tokens[place], "OR")) return null;
	const word = tokens[place + 1]?.text ?? "";
	return word === "ABORT" ? null : word;
}

function hasFrom(tokens: readonly PlacedToken[]): boolean {
	const outside = depthZero(tokens);
	return outside.some((token, place) => isWord(token, "FROM") && !isWord(outside[place - 1], "DISTINCT"));
}

function depthZero(tokens: readonly PlacedToken[]): PlacedToken[] {
	let depth = 0;
	return tokens.filter((token) => {
		if (isSign(token, "(")) depth++;
		else if (isSign(token, ")")) depth--;
		else return depth === 0;
		return false;
	});
}

/** Where ON CONFLICT or RETURNING stands behind VALUES or SELECT. */
function endOfSource(tokens: readonly PlacedToken[], from: number): number {
	let depth = 0;
	for (let place = from; place < tokens.length; place++) {
		const token = tokens[place];
		if (isSign(token, "(")) depth++;
		else if (isSign(token, ")")) depth--;
		else if (depth === 0 && isWord(token, "RETURNING")) return place;
		else if (depth === 0 && isWord(token, "ON") && isWord(tokens[place + 1], "CONFLICT")) return place;
		else if (depth === 0 && isSign(token, ";")) return place;
	}
	return tokens.length;
}

/** A query that reads a table that the statement writes sees more or less of it, by the order of the rows. */
export function looksInto(subqueries: readonly (readonly PlacedToken[])[], table: string): boolean {
	return subqueries.some((tokens) =>
		tokens.some((token, place) => isName(token, table) && !isSign(tokens[place + 1], ".")),
	);
}
