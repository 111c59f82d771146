/** What must be known of a statement before SQLite sees it: its kind, its parameters, whether it may run at all. */

import type { BeginMode, ParsedStatement, StatementProblem } from "./parsed-statement.ts";
import { classifyPragma } from "./pragmas.ts";
import { refusalOf } from "./refusals.ts";
import { nextToken, type Token } from "./sql-tokens.ts";

/** The statements of a script, without their semicolons; blank ones are left out. */
export function splitStatements(script: string): string[] {
	const statements: string[] = [];
	let start = 0;
	let words: string[] = [];
	/** Of the tokens before, inside a trigger: its end is `; END`, whatever names or CASE … END its body has. */
	let before: "other" | "semicolon" | "end" = "other";
	for (let token = nextToken(script, 0); token !== null; token = nextToken(script, token.end)) {
		const semicolon = token.type === "punctuation" && token.text === ";";
		if (!semicolon) {
			before = before === "semicolon" && isWord(token, "END") ? "end" : "other";
			if (words.length < 6) words.push(token.type === "word" ? token.text : "");
			continue;
		}
		if (isTrigger(words) && before !== "end") {
			before = "semicolon";
			continue;
		}
		push(script.slice(start, token.start));
		start = token.end;
		words = [];
		before = "other";
	}
	push(script.slice(start));
	return statements;

	function push(text: string): void {
		if (nextToken(text, 0) !== null) statements.push(text.trim());
	}
}

function isTrigger(words: readonly string[]): boolean {
	let place = 0;
	if (words[place] === "EXPLAIN") place += words[1] === "QUERY" ? 3 : 1;
	if (words[place] !== "CREATE") return false;
	if (words[place + 1] === "TEMP" || words[place + 1] === "TEMPORARY") place++;
	return words[place + 1] === "TRIGGER";
}

export function parseStatement(sql: string): ParsedStatement {
	const statements = splitStatements(sql);
	const [statement] = statements;
	if (statement === undefined) return problem("SQL_NO_STATEMENT", "the text holds no statement");
	if (statements.length > 1) {
		return problem(
			"SQL_MANY_STATEMENTS",
			"the text holds more than one statement: send them one by one, or as a sequence",
		);
	}
	const tokens = tokensOf(statement);
	const base = classify(tokens);
	const refusal = refusalOf(base.kind, tokens);
	return refusal === null ? base : { ...base, problem: { code: "UNSUPPORTED_SQL", message: refusal } };
}

function tokensOf(sql: string): Token[] {
	const tokens: Token[] = [];
	for (let token = nextToken(sql, 0); token !== null; token = nextToken(sql, token.end)) tokens.push(token);
	return tokens;
}

const plain: ParsedStatement = {
	kind: "read",
	beginMode: "deferred",
	savepoint: null,
	parameters: [],
	isExplain: false,
	isInsert: false,
	isDml: false,
	noOpAnswer: null,
	foreignKeys: true,
	defers: false,
	problem: null,
};

function problem(code: StatementProblem["code"], message: string): ParsedStatement {
	return { ...plain, problem: { code, message } };
}

function classify(tokens: readonly Token[]): ParsedStatement {
	const parameters = parametersOf(tokens);
	const isExplain = tokens[0]?.type === "word" && tokens[0].text === "EXPLAIN";
	if (isExplain) return { ...plain, parameters, isExplain };
	const keyword = leadingKeyword(tokens);
	switch (keyword) {
		case "SELECT":
		case "VALUES":
			return { ...plain, parameters };
		case "INSERT":
		case "REPLACE":
			return { ...plain, kind: "write", parameters, isInsert: true, isDml: true };
		case "UPDATE":
		case "DELETE":
			return { ...plain, kind: "write", parameters, isDml: true };
		case "BEGIN":
			return { ...plain, kind: "begin", beginMode: beginModeOf(tokens) };
		case "COMMIT":
		case "END":
			return { ...plain, kind: "commit" };
		case "ROLLBACK":
			return rollback(tokens);
		case "SAVEPOINT":
			return { ...plain, kind: "savepoint", savepoint: nameAt(tokens, 1) };
		case "RELEASE":
			return { ...plain, kind: "release", savepoint: nameAt(tokens, isWord(tokens[1], "SAVEPOINT") ? 2 : 1) };
		case "PRAGMA":
			return { ...plain, ...classifyPragma(tokens) };
		default:
			// CREATE, DROP, ALTER, ANALYZE, REINDEX, and whatever SQLite will call a syntax error.
			return { ...plain, kind: "schema", parameters };
	}
}

/** Past the common table expressions of a WITH: their bodies are in parentheses. */
function leadingKeyword(tokens: readonly Token[]): string {
	const [first] = tokens;
	if (first?.type !== "word") return "";
	if (first.text !== "WITH") return first.text;
	let depth = 0;
	for (const token of tokens) {
		if (token.type === "punctuation" && token.text === "(") depth++;
		else if (token.type === "punctuation" && token.text === ")") depth--;
		else if (
			depth === 0 &&
			token.type === "word" &&
			/^(SELECT|VALUES|INSERT|REPLACE|UPDATE|DELETE)$/.test(token.text)
		) {
			return token.text;
		}
	}
	return "WITH";
}

function beginModeOf(tokens: readonly Token[]): BeginMode {
	if (isWord(tokens[1], "IMMEDIATE")) return "immediate";
	if (isWord(tokens[1], "EXCLUSIVE")) return "exclusive";
	return tokens.some((token) => isWord(token, "READONLY")) ? "readonly" : "deferred";
}

function rollback(tokens: readonly Token[]): ParsedStatement {
	const to = tokens.findIndex((token) => isWord(token, "TO"));
	if (to < 0) return { ...plain, kind: "rollback" };
	const name = nameAt(tokens, isWord(tokens[to + 1], "SAVEPOINT") ? to + 2 : to + 1);
	return { ...plain, kind: "rollback-to", savepoint: name };
}

function nameAt(tokens: readonly Token[], position: number): string {
	return (tokens[position]?.text ?? "").toLowerCase();
}

export function isWord(token: Token | undefined, text: string): boolean {
	return token?.type === "word" && token.text === text;
}

/** SQLite numbers `?` one above the highest so far, `?N` is N, and a name gets a number at its first use. */
function parametersOf(tokens: readonly Token[]): (string | null)[] {
	const names: (string | null)[] = [];
	for (const token of tokens) {
		if (token.type !== "variable") continue;
		if (token.text === "?") names.push(null);
		else if (token.text.startsWith("?")) {
			const number = Number(token.text.slice(1));
			// Far numbers are SQLite's to refuse; here they must only not fill the memory.
			while (names.length < number && names.length < 32_766) names.push(null);
			if (number >= 1 && number <= 32_766) names[number - 1] ??= token.text;
		} else if (!names.includes(token.text)) names.push(token.text);
	}
	return names;
}
