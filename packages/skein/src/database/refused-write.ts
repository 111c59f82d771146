/** Writes of which nothing happens, and what their clients are told. */
import type { CannotReplicate } from "./changes/format.ts";
import type { WriteRequest } from "./database.ts";
import type { LogFormat } from "./log-format.ts";
import type { ProgramOutcome, StatementFailure } from "./program.ts";

/** The change to the format wal brings the whole database along. */
export class DatabaseTooLarge extends Error {
	readonly code = "PAYLOAD_TOO_LARGE";
	constructor(bytes: number, limit: number) {
		super(
			`the log format wal begins with the whole database as one transaction: ${bytes} bytes are more than the ${limit} that are allowed`,
		);
	}
}

/** The format wal takes any table; the others do not. */
export class TablesNotReplicable extends Error {
	readonly code = "UNSUPPORTED_SQL";
	constructor(to: LogFormat, cause: CannotReplicate) {
		super(
			`the log format ${to} cannot replicate every table of this database, change or drop it first: ${cause.message}`,
			{ cause },
		);
	}
}

export function tooLarge(outcome: ProgramOutcome, bytes: number, limit: number): ProgramOutcome {
	return failedWhole(outcome, {
		code: "PAYLOAD_TOO_LARGE",
		message: `the transaction changes ${bytes} bytes, more than the ${limit} that are allowed: split it; nothing of it happened`,
		extendedCode: undefined,
	});
}

/** Its answer would tell of another request: a success that never was. */
export function keyTaken({ program, foreignKeys }: WriteRequest): ProgramOutcome {
	const nothing = program.steps.map(() => null);
	return failedWhole(
		{ results: nothing, errors: nothing, autocommit: true, foreignKeys },
		{
			code: "BAD_REQUEST",
			message:
				"this idempotency key was used for another request: a key belongs to one request, sent again unchanged; nothing of this one happened",
			extendedCode: "BAD_REQUEST_KEY",
		},
	);
}

export function tookTooLong(limitMs: number): StatementFailure {
	return {
		code: "TIMEOUT",
		message: `the write took longer than ${limitMs} ms and was rolled back: nothing of it happened`,
		extendedCode: undefined,
	};
}

/** Nothing of the program happened; its last step says why. */
export function failedWhole(outcome: ProgramOutcome, failure: StatementFailure): ProgramOutcome {
	return {
		results: outcome.results.map(() => null),
		errors: outcome.errors.map((_, place) => (place === outcome.errors.length - 1 ? failure : null)),
		autocommit: true,
		foreignKeys: outcome.foreignKeys,
	};
}
