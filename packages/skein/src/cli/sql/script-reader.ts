// A script as its statements, each with the line on which it begins; it may be longer than the memory.
import { placeStatements } from "./statement-reader.ts";

export interface ScriptStatement {
	readonly text: string;
	/** The first is 1. */
	readonly number: number;
	readonly line: number;
}

/** The last statement needs no semicolon. */
export async function* readScript(
	source: AsyncIterable<unknown> | Iterable<string>,
): AsyncGenerator<ScriptStatement> {
	let pending = "";
	/** Of the first character of `pending`. */
	let line = 1;
	let number = 0;

	function* cut(text: string): Generator<ScriptStatement> {
		const { statements, rest } = placeStatements(text);
		let from = 0;
		for (const { text: statement, start } of statements) {
			line += linesIn(text.slice(from, start));
			from = start;
			yield { text: statement, number: ++number, line };
		}
		line += linesIn(text.slice(from, text.length - rest.length));
		pending = rest;
	}

	for await (const chunk of source) yield* cut(pending + String(chunk));
	yield* cut(`${pending}\n`);
	if (pending !== "") yield { text: pending.trimEnd(), number: ++number, line };
}

function linesIn(text: string): number {
	return text.split("\n").length - 1;
}
