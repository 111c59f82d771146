/**
 * SQLite's lexer, as far as it matters before SQLite sees a statement: where statements end, which
 * words and parameters they have. It follows https://sqlite.org/lang.html and tokenize.c's classes;
 * it never judges grammar, that is SQLite's.
 */

export type TokenType = "word" | "quoted" | "string" | "variable" | "number" | "punctuation";

export interface Token {
	readonly type: TokenType;
	readonly start: number;
	readonly end: number;
	/** word: in upper case. quoted: the name without its quotes. Else as written. */
	readonly text: string;
}

const wordStart = /[A-Za-z_\u0080-\uffff]/;
const wordPart = /[A-Za-z0-9_$\u0080-\uffff]/;
const digit = /[0-9]/;
const numberPart = /[0-9A-Za-z_.]/;
const space = /[\t\n\f\r \ufeff]/;

/** The token that begins at or after `offset`; null at the end of the text. White space and comments are skipped. */
export function nextToken(sql: string, offset: number): Token | null {
	const start = skipBlank(sql, offset);
	const first = sql[start];
	if (first === undefined) return null;
	if ((first === "x" || first === "X") && sql[start + 1] === "'")
		return quoted(sql, start, start + 1, "'", "string");
	if (first === "'") return quoted(sql, start, start, "'", "string");
	if (first === '"' || first === "`") return quoted(sql, start, start, first, "quoted");
	if (first === "[") return bracketed(sql, start);
	if (wordStart.test(first)) {
		const end = endOf(sql, start + 1, wordPart);
		return { type: "word", start, end, text: sql.slice(start, end).toUpperCase() };
	}
	if (digit.test(first) || (first === "." && digit.test(sql[start + 1] ?? ""))) return number(sql, start);
	if (first === "?") {
		const end = endOf(sql, start + 1, digit);
		return { type: "variable", start, end, text: sql.slice(start, end) };
	}
	if (":@$#".includes(first) && wordPart.test(sql[start + 1] ?? "")) return variable(sql, start);
	return { type: "punctuation", start, end: start + 1, text: first };
}

function skipBlank(sql: string, offset: number): number {
	let position = offset;
	for (;;) {
		const character = sql[position];
		if (character === undefined) return position;
		if (space.test(character)) position++;
		else if (character === "-" && sql[position + 1] === "-") {
			const end = sql.indexOf("\n", position);
			position = end < 0 ? sql.length : end + 1;
		} else if (character === "/" && sql[position + 1] === "*") {
			const end = sql.indexOf("*/", position + 2);
			position = end < 0 ? sql.length : end + 2;
		} else return position;
	}
}

function endOf(sql: string, from: number, part: RegExp): number {
	let end = from;
	while (end < sql.length && part.test(sql[end] ?? "")) end++;
	return end;
}

/** A doubled quote stands for one. An unterminated one runs to the end: SQLite will say so. */
function quoted(sql: string, start: number, open: number, quote: string, type: "string" | "quoted"): Token {
	let position = open + 1;
	for (;;) {
		const close = sql.indexOf(quote, position);
		if (close < 0) return { type, start, end: sql.length, text: sql.slice(open + 1) };
		if (sql[close + 1] !== quote) {
			const text = sql.slice(open + 1, close).replaceAll(quote + quote, quote);
			return { type, start, end: close + 1, text };
		}
		position = close + 2;
	}
}

function bracketed(sql: string, start: number): Token {
	const close = sql.indexOf("]", start);
	const end = close < 0 ? sql.length : close + 1;
	return { type: "quoted", start, end, text: sql.slice(start + 1, close < 0 ? end : close) };
}

function number(sql: string, start: number): Token {
	let end = start;
	while (end < sql.length) {
		const character = sql[end] ?? "";
		const signed =
			(character === "+" || character === "-") &&
			/[eE]/.test(sql[end - 1] ?? "") &&
			!/^0[xX]/.test(sql.slice(start, start + 2));
		if (!numberPart.test(character) && !signed) break;
		end++;
	}
	return { type: "number", start, end, text: sql.slice(start, end) };
}

/** `$name` may carry `::` parts and a suffix in parentheses (tokenize.c, TCL variables). */
function variable(sql: string, start: number): Token {
	let end = endOf(sql, start + 1, wordPart);
	while (sql.startsWith("::", end) && wordPart.test(sql[end + 2] ?? "")) end = endOf(sql, end + 2, wordPart);
	return { type: "variable", start, end, text: sql.slice(start, end) };
}
