/**
 * What an operator may do although something can be lost by it: only with the sentence that says what. It is made of
 * what is so at that moment, so whoever typed it for another situation is refused, and told the new one.
 */
import { SkeinError } from "../../../client/src/errors.ts";

export function needsConfirmation(why: string, sentence: string): SkeinError {
	return new SkeinError(`${why}; to go on all the same, confirm: "${sentence}"`, {
		code: "NEEDS_CONFIRMATION",
	});
}

/** What must be confirmed, by the message of such an error; null: it is none. */
export function sentenceIn(message: string): string | null {
	return /; to go on all the same, confirm: "([^"]+)"$/.exec(message)?.[1] ?? null;
}

/** "n1", "n1 or n2", "n1, n2 or n3" */
export function anyOf(names: readonly string[]): string {
	const last = names.at(-1) ?? "somebody";
	return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} or ${last}`;
}
