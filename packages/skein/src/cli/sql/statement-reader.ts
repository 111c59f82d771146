// Cuts typed or piped text into whole statements, as SQLite's own shell does (sqlite3_complete).

export interface PlacedStatement {
	readonly text: string;
	/** Of its first character in the text that was cut. */
	readonly start: number;
}

export interface CutText {
	/** Whole statements, each with its semicolon. */
	readonly statements: readonly string[];
	/** What is not finished yet; empty when it is only blanks and closed comments. */
	readonly rest: string;
}

/** Strings and comments are one token; one that is not closed matches only by its first character. */
const tokens =
	/'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/|\s+|[A-Za-z_][\w$]*|[^]/gy;

export function cutStatements(text: string): CutText {
	const { statements, rest } = placeStatements(text);
	return { statements: statements.map((statement) => statement.text), rest };
}

export function placeStatements(text: string): {
	readonly statements: readonly PlacedStatement[];
	readonly rest: string;
} {
	const statements: PlacedStatement[] = [];
	let start = 0;
	/** The statement's first words, and the two significant tokens before the present one. */
	let words: string[] = [];
	let previous = "";
	let beforePrevious = "";
	let isBlank = true;
	for (const match of text.matchAll(tokens)) {
		const token = match[0];
		const isUnclosed =
			/^['"`[]$/.test(token) ||
			(token === "/" && text[match.index + 1] === "*") ||
			(token.startsWith("--") && !token.endsWith("\n"));
		if (isUnclosed) return { statements, rest: text.slice(start) };
		if (/^(?:\s|--|\/\*)/.test(token)) continue;
		// A comment before a statement goes with none.
		if (isBlank) start = match.index;
		isBlank = false;
		if (token === ";" && endsStatement(words, previous, beforePrevious)) {
			const end = match.index + 1;
			if (words.length > 0) statements.push({ text: text.slice(start, end).trim(), start });
			start = end;
			words = [];
			previous = "";
			beforePrevious = "";
			isBlank = true;
			continue;
		}
		if (words.length < 4) words.push(token.toUpperCase());
		beforePrevious = previous;
		previous = token.toUpperCase();
	}
	return { statements, rest: isBlank ? "" : text.slice(start) };
}

/** The body of a trigger has semicolons of its own: it ends with `; END ;`. */
function endsStatement(words: readonly string[], previous: string, beforePrevious: string): boolean {
	const isTrigger = /^(?:EXPLAIN )?CREATE (?:TEMP |TEMPORARY )?TRIGGER\b/.test(words.join(" "));
	return !isTrigger || (previous === "END" && beforePrevious === ";");
}
