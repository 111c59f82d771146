/** What clients are told when a write that reached the leader's writer did not end well. */
import { errorCodes, SkeinError } from "../../../client/src/errors.ts";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { NodeId } from "../consensus/types.ts";
import { acknowledgementText } from "../database/acknowledgement-text.ts";
import type { Milliseconds } from "../world/clock.ts";

/**
 * The writer itself failed, not a statement: a full disk, damage, a bug. Clients act on the code
 * (DISK_FULL is worth another try, SQLITE_CORRUPT is not), so it is kept. By its shape and not by its
 * class: it may come from a thread, and from any `Database`.
 */
export function writerFailed(error: unknown): SkeinError {
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	const isKnown = code.startsWith("SQLITE_") || errorCodes.some((known) => known === code);
	const message = error instanceof Error ? error.message : String(error);
	return new SkeinError(`the database could not execute, nothing of it happened: ${message}`, {
		code: isKnown ? code : "INTERNAL",
		cause: error,
	});
}

export function leadershipLost(): SkeinError {
	return new SkeinError(
		"leadership was lost while this write was in flight: it may or may not be committed; look, or send it again with the same Idempotency-Key",
		{ code: "LEADERSHIP_LOST", outcome: "unknown" },
	);
}

/** Proposed, and not committed for long: its followers live and write nothing. */
export function notDurableInTime(missing: readonly NodeId[], limitMs: Milliseconds): SkeinError {
	return new SkeinError(
		`this write is in the leader's log, but no majority made it durable within ${limitMs} ms (missing: ${missing.join(", ")}; a full disk?): it may still be committed; look, or send it again with the same Idempotency-Key`,
		{ code: "TIMEOUT", outcome: "unknown" },
	);
}

/** Behind such a write. */
export function commitsNothing(missing: readonly NodeId[]): SkeinError {
	return new SkeinError(
		`the leader commits nothing just now, as no majority makes writes durable (missing: ${missing.join(", ")}; a full disk?): nothing of this happened`,
		{ code: "NO_LEADER" },
	);
}

/** The queue of a leader that does not serve yet. */
export function notServing(): SkeinError {
	return new SkeinError(
		"the leader was just elected and does not serve yet, since no majority makes its log durable: nothing of this happened",
		{ code: "NO_LEADER" },
	);
}

export function logOverloaded(): SkeinError {
	return new SkeinError(
		"the log takes no more writes just now: the transaction was rolled back, nothing of it happened; begin it again",
		{ code: "OVERLOADED" },
	);
}

/** It never left this node: whoever has a transaction open at the leader still has it. */
export class NotSentError extends SkeinError {}

export function noRoom(): NotSentError {
	return new NotSentError(
		"there is no room on the way to the leader: nothing was sent, and an open transaction stays open; try again later, or ask the leader itself",
		{ code: "OVERLOADED" },
	);
}

/** An open transaction ended with this error. Without a word its client would go on outside of it. */
export function withTransactionEnd(error: unknown): unknown {
	if (!(error instanceof SkeinError) || saysItself.test(error.message)) return error;
	const { code, extendedCode, cause, outcome } = error;
	const end =
		outcome === "did-not-happen"
			? "the open transaction was rolled back, nothing of it happened: begin it again"
			: "the open transaction is over";
	return new SkeinError(`${error.message}; ${end}`, { code, extendedCode, cause, outcome });
}

/** Also from another node, which sends no more than the text. */
const saysItself =
	/transaction .*(was rolled back|is over|has ended)|it was rolled back, nothing of it happened/;

export function tooFewVoters(acknowledgement: Acknowledgement): SkeinError {
	return new SkeinError(
		`${acknowledgementText(acknowledgement)} asks for more followers than the cluster has other voters: nothing of it happened`,
		{ code: "BAD_REQUEST" },
	);
}

export function modeNotMet(acknowledgement: Acknowledgement): SkeinError {
	return new SkeinError(
		`too many writes wait for their followers already, in mode ${acknowledgementText(acknowledgement)}: nothing of this one happened`,
		{ code: "OVERLOADED" },
	);
}

/** It changed nothing, and what it tells of (perhaps its own first try) waits for others. */
export function tooManyWait(acknowledgement: Acknowledgement): SkeinError {
	return new SkeinError(
		`too many answers wait for others already, in mode ${acknowledgementText(acknowledgement)}: it is not known whether what this one tells of has reached them; look, or send it again with the same Idempotency-Key`,
		{ code: "OVERLOADED", outcome: "unknown" },
	);
}

/** In the log, and who asked does not wait any more, for its followers or for the commit of what it saw. */
export function notWaitedFor(): SkeinError {
	return new SkeinError(
		"this write waited for its followers until its time was over: it may or may not be committed; look, or send it again with the same Idempotency-Key",
		{ code: "TIMEOUT", outcome: "unknown" },
	);
}

/** In the log, and its result finds too many before it that wait for the log. */
export function resultNotHeld(): SkeinError {
	return new SkeinError(
		"too large results wait for their followers already: this write is in the leader's log and may be committed; look, or send it again with the same Idempotency-Key",
		{ code: "OVERLOADED", outcome: "unknown" },
	);
}

export function snapshotTooOld(): SkeinError {
	return new SkeinError(
		"the database changed after this transaction first read it, so it cannot write: it was rolled back, nothing of it happened; begin it again, with BEGIN IMMEDIATE",
		{ code: "SQLITE_BUSY", extendedCode: "SQLITE_BUSY_SNAPSHOT" },
	);
}

/** Of a hand-over that waited for the batch under way. */
export function stillWriting(limitMs: Milliseconds): SkeinError {
	return new SkeinError(
		`this node still leads: a write has been under way for more than ${limitMs} ms, and leadership is handed over only between writes; find the long statement, or try again when it has ended`,
		{ code: "TIMEOUT" },
	);
}
