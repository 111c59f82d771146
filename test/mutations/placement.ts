/**
 * Whether a patch can only go where it was made for. git takes the nearest place at which the context of a hunk is found:
 * if the code has moved or was written anew, that may be another one, without a word.
 */

/** Each hunk that may be in a wrong place, in words; `read`: a file as it is now. */
export function misplacedHunks(patch: string, read: (path: string) => string): string[] {
	const problems: string[] = [];
	let path = "";
	let lines: string[] = [];
	for (const hunk of patch.split(/^(?=diff --git |@@ )/m)) {
		const file = /^\+\+\+ b\/(.*)$/m.exec(hunk)?.[1];
		if (file !== undefined) {
			path = file;
			lines = read(path).split("\n");
		}
		const head = /^@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@ ?(.*)$/m.exec(hunk);
		if (head === null || !hunk.startsWith("@@")) continue;
		const problem = problemOf(lines, contextOf(hunk), head[2] ?? "");
		if (problem !== null) problems.push(`${path}:${head[1]} ${problem}`);
	}
	return problems;
}

/** What must be there: all lines of a hunk that it does not add. */
function contextOf(hunk: string): string[] {
	return hunk
		.split("\n")
		.slice(1)
		.filter((line) => line.startsWith(" ") || line.startsWith("-"))
		.map((line) => line.slice(1));
}

function problemOf(lines: readonly string[], context: readonly string[], named: string): string | null {
	const places = [...lines.keys()].filter((place) =>
		context.every((line, row) => lines[place + row] === line),
	);
	const [place] = places;
	if (place === undefined) return "fits nowhere, as it stands";
	if (places.length > 1) return `fits at ${places.length} places`;
	const enclosing = enclosingLine(lines, place);
	// git cuts what it names.
	return named === enclosing || (named !== "" && enclosing.startsWith(named))
		? null
		: `is for ${JSON.stringify(named)} and fits in ${JSON.stringify(enclosing)}`;
}

/** The line that git would name behind a hunk's @@: the last one before it that begins with a name. */
function enclosingLine(lines: readonly string[], place: number): string {
	return lines.slice(0, place).findLast((line) => /^[A-Za-z_$]/.test(line)) ?? "";
}
