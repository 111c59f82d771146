/** Errors on their way out: the one table from code to HTTP status, and the one shape of the body. */
import { type Outcome, SkeinError } from "../../../client/src/errors.ts";

/** A code that is missing here is a statement's own failure (SQLite's name, SQL_…, ARGS_…): 400. */
const statusByCode: ReadonlyMap<string, number> = new Map([
	["BAD_REQUEST", 400],
	["UNSUPPORTED_SQL", 400],
	["TRANSACTION_TIMEOUT", 400], // not 408: browsers and proxies send a request again on that
	["STREAM_EXPIRED", 400],
	["STREAM_NOT_OPEN", 400],
	["BATON_REUSED", 400],
	["UNAUTHORIZED", 401],
	["FORBIDDEN", 403],
	["NOT_FOUND", 404],
	["METHOD_NOT_ALLOWED", 405],
	["NEEDS_CONFIRMATION", 409],
	["PAYLOAD_TOO_LARGE", 413],
	["UNSUPPORTED_MEDIA_TYPE", 415],
	["INTERNAL", 500],
	["SQLITE_INTERNAL", 500],
	["SQLITE_IOERR", 500],
	["SQLITE_CORRUPT", 500],
	["SQLITE_NOTADB", 500],
	["SQLITE_CANTOPEN", 500],
	["SQLITE_NOMEM", 500],
	["OVERLOADED", 503],
	["NOT_READY", 503],
	["WITNESS", 503], // not 421: fetch sends a request again on that, to the same node
	["NO_LEADER", 503],
	["LEADERSHIP_LOST", 503],
	["TOO_STALE", 503],
	["SQLITE_BUSY", 503],
	["TIMEOUT", 504],
	["DISK_FULL", 507],
	["SQLITE_FULL", 507],
]);

export function statusOf(code: string): number {
	return statusByCode.get(code) ?? 400;
}

/** What is worth another try in a moment carries Retry-After. */
export function isRetryable(code: string): boolean {
	return code === "OVERLOADED" || code === "NO_LEADER";
}

export interface ErrorView {
	readonly message: string;
	readonly code: string;
	readonly outcome?: Outcome;
	readonly extendedCode?: string | undefined;
}

export function badRequest(message: string): SkeinError {
	return new SkeinError(message, { code: "BAD_REQUEST" });
}

/**
 * What a client is told about anything that was thrown. An error that we did not foresee says
 * nothing about the write, so its outcome is unknown; its text stays in our log.
 */
export function viewOf(error: unknown): ErrorView {
	if (error instanceof SkeinError) return error;
	return { message: "internal error: the node's log has more", code: "INTERNAL", outcome: "unknown" };
}

/** The body of every answer that is not 2xx, and of a failed statement inside a pipeline's answer. */
export function encodeError(error: ErrorView): string {
	const outcome = error.outcome ?? "did-not-happen";
	const extended =
		error.extendedCode === undefined ? "" : `,"extendedCode":${JSON.stringify(error.extendedCode)}`;
	return `{"message":${JSON.stringify(error.message)},"code":${JSON.stringify(error.code)},"outcome":"${outcome}"${extended}}`;
}
