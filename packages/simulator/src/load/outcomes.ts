/** What an answer, or its absence, says of an operation: as the history has it. */
import type { Acknowledgement } from "../../../skein/src/consensus/acknowledge/acknowledgement.ts";
import type { Program, ProgramOutcome } from "../../../skein/src/database/program.ts";
import type { AcknowledgementMode, Completion, Seen, Step } from "../history/history.ts";
import { valueIn } from "../machine/statements.ts";
import type { Reply } from "./connection.ts";

/** What must hold of it: a leader and so many followers that they are a majority lose nothing. */
export function promiseOf(mode: Acknowledgement, size: number): AcknowledgementMode {
	if (mode.mode !== "semi-sync") return mode.mode;
	return 2 * (1 + mode.followers) > size ? "quorum" : "semi-sync";
}

/** With the mode that the answer names, if it was one to a write. */
export interface Ending extends Omit<Completion, "acknowledgement"> {
	readonly mode?: Acknowledgement | null;
}

export function isGood(reply: Reply): boolean {
	return reply.type === "answer" && reply.answer.outcome.errors.every((error) => error === null);
}

/** What was answered of some of the statements, as if they had been sent alone. */
function someOf(reply: Reply, from: number, until: number): Reply {
	if (reply.type !== "answer") return reply;
	const { results, errors } = reply.answer.outcome;
	const outcome = {
		...reply.answer.outcome,
		results: results.slice(from, until),
		errors: errors.slice(from, until),
	};
	return { type: "answer", answer: { ...reply.answer, outcome } };
}

export interface Part {
	/** Its statements in the program. */
	readonly from: number;
	readonly until: number;
	/** It has a key, of its own or the program's. */
	readonly isKeyed: boolean;
}

/**
 * Of one part of a program. The position of the answer is of all its parts together; so is whether something of it
 * was an earlier answer, which says too often that this part was: of that nobody concludes anything.
 */
export function partOf(reply: Reply, { from, until, isKeyed }: Part): Ending {
	const completion = completionOf(someOf(reply, from, until), null);
	return { ...completion, position: null, replayed: isKeyed && completion.replayed === true };
}

export function completionOf(reply: Reply, seen: ((outcome: ProgramOutcome) => Seen[]) | null): Ending {
	switch (reply.type) {
		case "answer": {
			const { outcome, position, stalenessMs, inSync, replayed, acknowledgement: mode } = reply.answer;
			const failed = outcome.errors.find((error) => error !== null);
			if (failed !== undefined && failed !== null) return { outcome: "failed", code: failed.code };
			const known = { outcome: "ok", position, stalenessMs, inSync, replayed, mode } as const;
			return seen === null ? known : { ...known, seen: seen(outcome) };
		}
		case "error":
			return {
				outcome: reply.error.outcome === "did-not-happen" ? "failed" : "unknown",
				code: reply.error.code,
			};
		case "unreachable":
			return { outcome: "failed", code: "UNREACHABLE" };
		case "lost":
			return { outcome: "unknown", code: "CONNECTION_LOST" };
		case "gave-up":
			return { outcome: "unknown", code: "GAVE_UP" };
		default: {
			const never: never = reply;
			throw new Error(String(never));
		}
	}
}

/** Of a step behind which stands a statement that was refused: an answer all the same, in a mode like any other. */
export function refusedCompletion(reply: Reply, step: Step): Ending {
	if (reply.type !== "answer") return completionOf(reply, null);
	const { outcome, position, replayed, acknowledgement: mode } = reply.answer;
	const [failed = null] = outcome.errors;
	if (failed !== null) return { outcome: "failed", code: failed.code };
	const seen = [step.kind === "read" ? valueIn(outcome, 0) : undefined];
	return { outcome: "ok", position, replayed, mode, seen };
}

/** What each step found: the result of the read that stands before it in the program. */
export function seenIn(steps: readonly Step[], program: Program, outcome: ProgramOutcome): Seen[] {
	let place = program.steps[0]?.statement.sql.startsWith("BEGIN") ? 1 : 0;
	const only = steps.length === 1 && program.steps.length === 1 && steps[0]?.kind !== "read";
	if (only) return [undefined];
	return steps.map((step) => {
		const seen = valueIn(outcome, place);
		place += step.kind === "read" ? 1 : 2;
		return seen;
	});
}
