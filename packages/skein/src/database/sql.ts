/** What must be known of a statement before SQLite sees it: its kind, its parameters, whether it may run at all. */

import type { BeginMode, ParsedStatement, StatementProblem } from "./parsed-statement.ts";
import { classifyPragma } from "./pragmas.ts";
import { refusalOf } from "./refusals.ts";
import { currentToken, Lexer, type Token } from "./sql-tokens.ts";

/** The statements of a script, without their semicolons; blank ones are left out. */
function* statementsOf(script: string): Generator<string, void, void> {
	const lexer = new Lexer(script);
	while (!atEnd(lexer)) {
		const { start, end, blank } = nextStatement(lexer, null);
		if (!blank) yield script.slice(start, end).trim();
	}
}

export function splitStatements(script: string): string[] {
	return [...statementsOf(script)];
}

function atEnd({ sql, end }: Lexer): boolean {
	return end >= sql.length;
}

interface StatementRange {
	readonly start: number;
	readonly end: number;
	/** It has no token. */
	readonly blank: boolean;
}

/** Moves behind the semicolon of the statement; its tokens go into `tokens`, if given. */
function nextStatement(lexer: Lexer, tokens: Token[] | null): StatementRange {
	const start = lexer.end;
	const words: string[] = [];
	let blank = true;
	/** Of the tokens before, inside a trigger: its end is `; END`, whatever names or CASE … END its body has. */
	let before: "other" | "semicolon" | "end" = "other";
	while (lexer.next()) {
		const isSemicolon = lexer.code === semicolon;
		if (isSemicolon) {
			if (!isTrigger(words) || before === "end") return { start, end: lexer.start, blank };
			before = "semicolon";
		} else {
			before = before === "semicolon" && isEnd(lexer) ? "end" : "other";
			if (words.length < 6) words.push(lexer.type === "word" ? currentToken(lexer).text : "");
		}
		blank = false;
		if (tokens !== null) keep(lexer, tokens);
	}
	return { start, end: lexer.sql.length, blank };
}

const semicolon = 0x3b;

/** Numbers and operators in a row. */
const others: Token = { type: "number", text: "" };
const afterWords = 16;

/** Behind the first words no rule asks for numbers and operators, and a large text has millions of them. */
function keep(lexer: Lexer, tokens: Token[]): void {
	if (tokens.length > afterWords && isOther(lexer)) {
		if (tokens[tokens.length - 1] !== others) tokens.push(others);
	} else tokens.push(currentToken(lexer));
}

function isOther({ type, code }: Lexer): boolean {
	if (type === "number") return true;
	// Parentheses and dots stand next to names.
	return type === "punctuation" && code !== 0x28 && code !== 0x29 && code !== 0x2e;
}

function isEnd(lexer: Lexer): boolean {
	return lexer.end - lexer.start === 3 && isWord(currentToken(lexer), "END");
}

function isTrigger(words: readonly string[]): boolean {
	let place = 0;
	if (words[place] === "EXPLAIN") place += words[1] === "QUERY" ? 3 : 1;
	if (words[place] !== "CREATE") return false;
	if (words[place + 1] === "TEMP" || words[place + 1] === "TEMPORARY") place++;
	return words[place + 1] === "TRIGGER";
}

/** Why a text never reaches SQLite, which would read another one; null when it may. */
export function textProblem(sql: string): string | null {
	// "delete from t\0 where id = 1" would delete everything.
	if (sql.includes("\0"))
		return "the SQL text holds a NUL character, where SQLite would stop reading: send what holds it as an argument";
	if (!sql.isWellFormed())
		return "the SQL text holds half of a surrogate pair: it is no Unicode text, and would be changed on its way";
	return null;
}

/** Looks at each character once: the text may have megabytes, and this runs on the event loop. */
export function parseStatement(sql: string): ParsedStatement {
	const unreadable = textProblem(sql);
	if (unreadable !== null) return problem("BAD_REQUEST", unreadable);
	const lexer = new Lexer(sql);
	const tokens: Token[] = [];
	while (tokens.length === 0) {
		if (atEnd(lexer)) return problem("SQL_NO_STATEMENT", "the text holds no statement");
		nextStatement(lexer, tokens);
	}
	while (lexer.next()) {
		if (lexer.code === semicolon) continue;
		return problem(
			"SQL_MANY_STATEMENTS",
			"the text holds more than one statement: send them one by one, or as a sequence",
		);
	}
	const base = classify(tokens);
	const refusal = refusalOf(base.kind, tokens, sql);
	return refusal === null ? base : { ...base, problem: { code: "UNSUPPORTED_SQL", message: refusal } };
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

/** ASCII only: to SQLite É and é are two names. */
function nameAt(tokens: readonly Token[], position: number): string {
	return (tokens[position]?.text ?? "").replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

export function isWord(token: Token | undefined, text: string): boolean {
	return token?.type === "word" && token.text === text;
}

/** SQLite numbers `?` one above the highest so far, `?N` is N, and a name gets a number at its first use. */
function parametersOf(tokens: readonly Token[]): (string | null)[] {
	const names: (string | null)[] = [];
	const known = new Set<string>();
	for (const token of tokens) {
		if (token.type !== "variable") continue;
		const { text } = token;
		if (text === "?") names.push(null);
		else if (text.startsWith("?")) {
			const number = Number(text.slice(1));
			// Far numbers are SQLite's to refuse; here they must only not fill the memory.
			while (names.length < number && names.length < 32_766) names.push(null);
			if (number >= 1 && number <= 32_766) names[number - 1] ??= text;
		} else if (!known.has(text)) {
			known.add(text);
			names.push(text);
		}
	}
	return names;
}
