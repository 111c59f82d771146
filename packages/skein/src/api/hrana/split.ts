/**
 * Splitting a text into statements for `sequence`. A semicolon ends a statement unless it stands in
 * a string, a quoted name, a comment, or the body of a trigger, which only `; END;` closes (the
 * rules of SQLite's own sqlite3_complete).
 */

/** One token a match: quoted things, comments, words, or any one character. */
const tokenPattern =
	/'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)|\[[^\]]*(?:\]|$)|--[^\n]*|\/\*[^]*?(?:\*\/|$)|[\w$\u0080-\uffff]+|\s+|[^]/g;

const beforeTrigger: ReadonlySet<string> = new Set([
	"explain",
	"query",
	"plan",
	"create",
	"temp",
	"temporary",
]);

/** Without what is only white space and comments. */
export function splitStatements(sql: string): string[] {
	const statements: string[] = [];
	let start = 0;
	let words = 0;
	let prefix = true;
	let isTrigger = false;
	/** Inside a trigger: "semicolon" after one, "end" after `; END`. */
	let closing: "no" | "semicolon" | "end" = "no";
	for (const match of sql.matchAll(tokenPattern)) {
		const token = match[0];
		if (/^(\s|--|\/\*)/.test(token)) continue;
		if (token !== ";") {
			const word = token.toLowerCase();
			if (prefix && word === "trigger" && words > 0) isTrigger = true;
			prefix &&= beforeTrigger.has(word);
			closing = closing === "semicolon" && word === "end" ? "end" : "no";
			words++;
			continue;
		}
		if (isTrigger && closing !== "end") {
			closing = "semicolon";
			continue;
		}
		if (words > 0) statements.push(sql.slice(start, match.index).trim());
		start = match.index + 1;
		words = 0;
		prefix = true;
		isTrigger = false;
		closing = "no";
	}
	if (words > 0) statements.push(sql.slice(start).trim());
	return statements;
}
