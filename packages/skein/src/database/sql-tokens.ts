/**
 * SQLite's lexer, as far as it matters before SQLite sees a statement: where statements end, which
 * words and parameters they have. It follows https://sqlite.org/lang.html and tokenize.c's classes;
 * it never judges grammar, that is SQLite's.
 *
 * Texts of many megabytes come by, on the event loop: so it looks at each character once, by a table
 * and without a regular expression, and makes a token's text only when it is asked for.
 */

export type TokenType = "word" | "quoted" | "string" | "variable" | "number" | "punctuation";

export interface Token {
	readonly type: TokenType;
	/** word: in upper case (ASCII only, as SQLite folds). quoted: the name without its quotes. Else as written. */
	readonly text: string;
}

export interface PlacedToken extends Token {
	readonly start: number;
	readonly end: number;
}

const isSpace = 1;
const isWordStart = 2;
const isWordPart = 4;
const isDigit = 8;
const isNumberPart = 16;

const classes: Uint8Array = classTable();

function classTable(): Uint8Array {
	const table = new Uint8Array(128);
	const add = (characters: string, flags: number): void => {
		for (const character of characters) {
			const code = character.charCodeAt(0);
			table[code] = (table[code] ?? 0) | flags;
		}
	};
	const letters = "abcdefghijklmnopqrstuvwxyz";
	add("\t\n\f\r ", isSpace);
	add(`${letters}${letters.toUpperCase()}_`, isWordStart | isWordPart | isNumberPart);
	add("0123456789", isWordPart | isDigit | isNumberPart);
	add("$", isWordPart);
	add(".", isNumberPart);
	return table;
}

/** NaN, beyond the end of a text, is of no class. */
function classOf(code: number): number {
	if (code < 128) return classes[code] ?? 0;
	// A byte order mark between tokens is blank, and part of a word inside one.
	if (code === 0xfeff) return isSpace | isWordStart | isWordPart;
	return code >= 128 ? isWordStart | isWordPart : 0;
}

const doubleQuote = 0x22;
const hash = 0x23;
const dollar = 0x24;
const singleQuote = 0x27;
const star = 0x2a;
const plus = 0x2b;
const minus = 0x2d;
const dot = 0x2e;
const slash = 0x2f;
const colon = 0x3a;
const questionMark = 0x3f;
const at = 0x40;
const openBracket = 0x5b;
const backtick = 0x60;

/** Stands at a token, from `start` to `end`. A class, since it is the innermost loop: closures took twice as long. */
export class Lexer {
	readonly sql: string;
	type: TokenType = "punctuation";
	start: number;
	end: number;
	/** Of the first character. */
	code = 0;

	constructor(sql: string, offset = 0) {
		this.sql = sql;
		this.start = offset;
		this.end = offset;
	}

	/** To the next token; false at the end of the text. White space and comments are skipped. */
	next(): boolean {
		const { sql } = this;
		const start = skipBlank(sql, this.end);
		this.start = start;
		this.end = start;
		if (start >= sql.length) return false;
		this.code = sql.charCodeAt(start);
		const flags = classOf(this.code);
		if ((flags & isWordStart) !== 0) this.word(start);
		else if ((flags & isDigit) !== 0) {
			this.type = "number";
			this.end = endOfNumber(sql, start);
		} else this.other(start);
		return true;
	}

	private word(start: number): void {
		const { sql, code } = this;
		const isBlob = (code === 0x78 || code === 0x58) && sql.charCodeAt(start + 1) === singleQuote;
		this.type = isBlob ? "string" : "word";
		this.end = isBlob ? endOfQuoted(sql, start + 1, "'") : endOf(sql, start + 1, isWordPart);
	}

	private other(start: number): void {
		const { sql, code } = this;
		switch (code) {
			case singleQuote:
				this.type = "string";
				this.end = endOfQuoted(sql, start, "'");
				return;
			case doubleQuote:
			case backtick:
				this.type = "quoted";
				this.end = endOfQuoted(sql, start, code === doubleQuote ? '"' : "`");
				return;
			case openBracket: {
				this.type = "quoted";
				const close = sql.indexOf("]", start);
				this.end = close < 0 ? sql.length : close + 1;
				return;
			}
			case questionMark:
				this.type = "variable";
				this.end = endOf(sql, start + 1, isDigit);
				return;
			case colon:
			case at:
			case dollar:
			case hash:
				if ((classOf(sql.charCodeAt(start + 1)) & isWordPart) === 0) break;
				this.type = "variable";
				this.end = endOfVariable(sql, start);
				return;
			case dot:
				if ((classOf(sql.charCodeAt(start + 1)) & isDigit) === 0) break;
				this.type = "number";
				this.end = endOfNumber(sql, start);
				return;
			default:
		}
		this.type = "punctuation";
		this.end = start + 1;
	}
}

/** The token that begins at or after `offset`; null at the end of the text. */
export function nextToken(sql: string, offset: number): PlacedToken | null {
	const lexer = new Lexer(sql, offset);
	if (!lexer.next()) return null;
	const { type, start, end } = lexer;
	return { type, start, end, text: textOf(sql, type, start, end) };
}

const punctuation: readonly Token[] = Array.from({ length: 128 }, (_, code) => ({
	type: "punctuation",
	text: String.fromCharCode(code),
}));

/** What the lexer stands at, to be kept. */
export function currentToken(lexer: Lexer): Token {
	if (lexer.type === "punctuation" && lexer.code < 128) {
		const shared = punctuation[lexer.code];
		if (shared !== undefined) return shared;
	}
	return new LazyToken(lexer.sql, lexer.type, lexer.start, lexer.end);
}

/** A class for its getter: of most tokens nobody asks the text. */
class LazyToken implements Token {
	readonly type: TokenType;
	private readonly sql: string;
	private readonly start: number;
	private readonly end: number;

	constructor(sql: string, type: TokenType, start: number, end: number) {
		this.type = type;
		this.sql = sql;
		this.start = start;
		this.end = end;
	}

	get text(): string {
		return textOf(this.sql, this.type, this.start, this.end);
	}
}

function textOf(sql: string, type: TokenType, start: number, end: number): string {
	switch (type) {
		case "word":
			return upperCase(sql.slice(start, end));
		case "string":
			return unquoted(sql, sql.charCodeAt(start) === singleQuote ? start : start + 1, end, "'");
		case "quoted": {
			const open = sql.charAt(start);
			if (open !== "[") return unquoted(sql, start, end, open);
			return sql.slice(start + 1, sql.charAt(end - 1) === "]" ? end - 1 : end);
		}
		case "variable":
		case "number":
		case "punctuation":
			return sql.slice(start, end);
		default: {
			const never: never = type;
			throw new Error(String(never));
		}
	}
}

/** As SQLite does, which knows the case of ASCII letters only. */
function upperCase(name: string): string {
	return name.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

function skipBlank(sql: string, offset: number): number {
	let position = offset;
	for (;;) {
		const code = sql.charCodeAt(position);
		if ((classOf(code) & isSpace) !== 0) position++;
		else if (code === minus && sql.charCodeAt(position + 1) === minus) {
			const end = sql.indexOf("\n", position);
			position = end < 0 ? sql.length : end + 1;
		} else if (code === slash && sql.charCodeAt(position + 1) === star) {
			const end = sql.indexOf("*/", position + 2);
			position = end < 0 ? sql.length : end + 2;
		} else return position;
	}
}

function endOf(sql: string, from: number, part: number): number {
	let end = from;
	while ((classOf(sql.charCodeAt(end)) & part) !== 0) end++;
	return end;
}

/** A doubled quote stands for one. An unterminated one runs to the end: SQLite will say so. */
function endOfQuoted(sql: string, open: number, quote: string): number {
	for (let position = open + 1; ; ) {
		const close = sql.indexOf(quote, position);
		if (close < 0) return sql.length;
		if (sql.charAt(close + 1) !== quote) return close + 1;
		position = close + 2;
	}
}

function unquoted(sql: string, open: number, end: number, quote: string): string {
	const inner = sql.slice(open + 1, end);
	const doubled = quote + quote;
	// Inside, quotes are doubled: so an odd number of them at the end closes it.
	let quotes = 0;
	while (quotes < inner.length && inner.charAt(inner.length - 1 - quotes) === quote) quotes++;
	const isClosed = quotes % 2 === 1;
	return isClosed ? inner.slice(0, -1).replaceAll(doubled, quote) : inner;
}

function endOfNumber(sql: string, start: number): number {
	const second = sql.charCodeAt(start + 1) | 0x20;
	const isHexadecimal = sql.charCodeAt(start) === 0x30 && second === 0x78;
	for (let end = start; ; end++) {
		const code = sql.charCodeAt(end);
		if (code < 128 && (classOf(code) & isNumberPart) !== 0) continue;
		const isSigned =
			(code === plus || code === minus) && !isHexadecimal && (sql.charCodeAt(end - 1) | 0x20) === 0x65;
		if (!isSigned || end === start) return end;
	}
}

/** `$name` may carry `::` parts and a suffix in parentheses (tokenize.c, TCL variables). */
function endOfVariable(sql: string, start: number): number {
	let end = endOf(sql, start + 1, isWordPart);
	while (
		sql.charCodeAt(end) === colon &&
		sql.charCodeAt(end + 1) === colon &&
		(classOf(sql.charCodeAt(end + 2)) & isWordPart) !== 0
	) {
		end = endOf(sql, end + 2, isWordPart);
	}
	return end;
}
