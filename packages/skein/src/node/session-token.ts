/** Session tokens: `TERM.INDEX`, the position that a session has seen. */
import { SkeinError } from "../../../client/src/errors.ts";
import type { Position } from "../consensus/types.ts";

/** The extended code of the error that says: this token is of no history that is known here. */
export const strangeSession = "BAD_REQUEST_SESSION";

export function formatToken({ term, index }: Position): string {
	return `${term}.${index}`;
}

export function parseToken(text: string): Position {
	const match = /^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})$/.exec(text);
	if (match === null) {
		throw new SkeinError(
			`a session token is TERM.INDEX, as in the Skein-Session of an answer, not ${JSON.stringify(text.slice(0, 100))}`,
			{ code: "BAD_REQUEST" },
		);
	}
	return { term: Number(match[1]), index: Number(match[2]) };
}

/** What a session has seen after both: within one history the larger index has seen the other. */
export function laterOf(one: Position | null, other: Position): Position {
	return one !== null && one.index >= other.index ? one : other;
}

/**
 * What is still known of a session that was `seen` so far, after a request with the token `sent` failed. One whose
 * history is lost is told so once, by this error; then it begins anew.
 */
export function afterFailure(seen: Position | null, sent: Position | null, error: unknown): Position | null {
	const isLost = error instanceof SkeinError && error.extendedCode === strangeSession;
	return isLost && seen?.index === sent?.index && seen?.term === sent?.term ? null : seen;
}
