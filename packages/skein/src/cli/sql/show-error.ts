// A failed statement in words: SQLite's own, and what became of a write when nobody can say.
import { SkeinError } from "../../../../client/src/index.ts";
import { showText } from "./show-result.ts";

export function errorText(error: unknown): string {
	if (!(error instanceof SkeinError)) return error instanceof Error ? error.message : String(error);
	const message = error.message.startsWith(error.code) ? error.message : `${error.code}: ${error.message}`;
	if (error.outcome === "unknown") {
		return `${showText(message)}\nIf it was a write, it may have happened or not: look before you send it again.`;
	}
	return showText(message);
}
