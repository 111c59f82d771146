// How far a script came, for whoever has to go on after it failed in its middle.
import type { Outcome } from "../../../../client/src/index.ts";
import type { ScriptStatement } from "./script-reader.ts";
import { showText } from "./show-result.ts";

export interface ScriptProgress {
	begins(statement: ScriptStatement): void;
	/** `isAutocommit`: it is kept, and all before it: no transaction is open. */
	succeeded(isAutocommit: boolean): void;
	/** Where it stopped, and what became of the statements before. Empty if there is nothing to tell. */
	report(outcome: Outcome): string;
}

const shownLength = 60;

export function createScriptProgress(): ScriptProgress {
	let current: ScriptStatement | null = null;
	let done = 0;
	let kept = 0;

	return {
		begins(statement) {
			current = statement;
		},
		succeeded(isAutocommit) {
			done = current?.number ?? 0;
			current = null;
			if (isAutocommit) kept = done;
		},
		report(outcome) {
			const lines: string[] = [];
			if (current !== null && (current.number > 1 || current.line > 1)) {
				lines.push(`At statement ${current.number}, line ${current.line}: ${shortened(current.text)}`);
			}
			const parts: string[] = [];
			if (kept > 0) parts.push(`kept: ${range(1, kept)}`);
			if (done > kept) {
				const end = outcome === "unknown" ? "kept or rolled back, look" : "rolled back";
				parts.push(`${end}: ${range(kept + 1, done)}`);
			}
			if (parts.length > 0) lines.push(capitalized(parts.join("; ")));
			return lines.join("\n");
		},
	};
}

function range(first: number, last: number): string {
	return first === last ? `statement ${first}` : `statements ${first} to ${last}`;
}

function shortened(sql: string): string {
	const text = showText(sql.slice(0, 4 * shownLength).replaceAll(/\s+/g, " "));
	return text.length > shownLength ? `${text.slice(0, shownLength)}…` : text;
}

function capitalized(text: string): string {
	return text.slice(0, 1).toUpperCase() + text.slice(1);
}
