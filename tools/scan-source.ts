/**
 * A small scanner of TypeScript source: finds what a module imports and hides comments and the
 * contents of literals, so that a rule about code never matches prose. Not a parser: it knows
 * tokens only, and relies on the formatter for "a top-level statement begins in column 1".
 */

export interface ImportedModule {
	readonly specifier: string;
	readonly line: number;
	/** `import type`, `export type … from`: gone at run time. */
	readonly isTypeOnly: boolean;
}

export interface ScannedSource {
	/** As long as the source, line by line; comments and the contents of literals are blanks. */
	readonly code: string;
	readonly imports: readonly ImportedModule[];
}

const blank = (text: string): string => text.replace(/[^\n]/g, " ");

/** A slash begins a regular expression where no value can have ended just before it. */
function startsRegularExpression(codeBefore: string): boolean {
	const before = codeBefore.trimEnd();
	if (before === "" || /[([{,;:=!&|?+\-*%<>~^]$/.test(before)) return true;
	return /(?<![.\w$])(?:return|typeof|case|in|of|delete|void|throw|await|yield|else|do)$/.test(before);
}

export function lineAt(text: string, position: number): number {
	let line = 1;
	for (
		let index = text.indexOf("\n");
		index !== -1 && index < position;
		index = text.indexOf("\n", index + 1)
	) {
		line += 1;
	}
	return line;
}

const tokens = {
	lineComment: /\/\/[^\n]*/y,
	blockComment: /\/\*[\s\S]*?(?:\*\/|$)/y,
	quoted: /"(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?/y,
	templateText: /(?:[^`\\$]|\\[\s\S]|\$(?!\{))+/y,
	regularExpression: /\/(?:[^/\\[\n]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*\])+\/[a-z]*/y,
};

function matchAt(pattern: RegExp, text: string, position: number): string {
	pattern.lastIndex = position;
	return pattern.exec(text)?.[0] ?? "";
}

export function scanSource(source: string): ScannedSource {
	/** Contents of string literals by the position of their opening quote. */
	const literals = new Map<number, string>();
	/** For each open `${`, how many braces are open inside it. */
	const templates: number[] = [];
	let code = "";
	let inTemplate = false;

	while (code.length < source.length) {
		const position = code.length;
		const character = source.charAt(position);
		if (inTemplate) {
			if (character === "`") {
				code += character;
				inTemplate = false;
			} else if (source.startsWith("${", position)) {
				code += "${";
				templates.push(0);
				inTemplate = false;
			} else {
				code += blank(matchAt(tokens.templateText, source, position) || character);
			}
			continue;
		}
		if (character === "/") {
			const comment =
				matchAt(tokens.lineComment, source, position) || matchAt(tokens.blockComment, source, position);
			const expression =
				comment === "" && startsRegularExpression(code)
					? matchAt(tokens.regularExpression, source, position)
					: "";
			code += comment !== "" ? blank(comment) : expression !== "" ? blank(expression) : character;
			continue;
		}
		if (character === '"' || character === "'") {
			const literal = matchAt(tokens.quoted, source, position) || character;
			literals.set(position, literal.slice(1, -1));
			code += literal.length < 2 ? literal : character + blank(literal.slice(1, -1)) + character;
			continue;
		}
		const depth = templates.at(-1);
		if (character === "`") inTemplate = true;
		else if (depth !== undefined && character === "{") templates[templates.length - 1] = depth + 1;
		else if (depth !== undefined && character === "}") {
			if (depth === 0) {
				templates.pop();
				inTemplate = true;
			} else templates[templates.length - 1] = depth - 1;
		}
		code += character;
	}
	return { code, imports: findImports(code, literals) };
}

function findImports(code: string, literals: ReadonlyMap<number, string>): ImportedModule[] {
	const found: ImportedModule[] = [];
	// A clause holds names, braces, commas and a star; a statement without `from` stops at the first other sign.
	const patterns = [
		/(?<![.\w$])(?:import|export)\s+(type\s+)?(?:[\w$*{},\s]|\s+as\s+)*?\bfrom\s*(["'])/g,
		/(?<![.\w$])import\s*()(["'])/g,
		/(?<![.\w$])(?:import|require)\s*\(()\s*(["'])/g,
	];
	for (const pattern of patterns) {
		for (const match of code.matchAll(pattern)) {
			const quote = match.index + match[0].length - 1;
			const specifier = literals.get(quote);
			if (specifier === undefined) continue;
			const isTypeOnly = match[1] !== undefined && match[1] !== "";
			found.push({ specifier, line: lineAt(code, quote), isTypeOnly });
		}
	}
	return found.toSorted((a, b) => a.line - b.line);
}
