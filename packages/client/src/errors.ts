/**
 * Errors that users see: the codes, and for a write whether it happened. Owned by the client
 * package so that server, command line and applications agree on them.
 */

/** Codes of Skein's own; every other code is SQLite's base name (`SQLITE_CONSTRAINT`) or one of the protocol's. */
export const errorCodes = [
	"NO_LEADER",
	"LEADERSHIP_LOST",
	"TIMEOUT",
	"TOO_STALE",
	"OVERLOADED",
	"DISK_FULL",
	"TRANSACTION_TIMEOUT",
	"UNAUTHORIZED",
	"FORBIDDEN",
	"BAD_REQUEST",
	"PAYLOAD_TOO_LARGE",
	"UNSUPPORTED_SQL",
	"NEEDS_CONFIRMATION",
	/** The node votes and holds no data: another one has to be asked. */
	"WITNESS",
] as const;
export type SkeinErrorCode = (typeof errorCodes)[number];

/** Codes that only a client gives: the server was not there to say anything. */
export const clientErrorCodes = [
	/** No connection was made: nothing was sent. */
	"UNREACHABLE",
	/** The connection broke, or fell silent, after something may have been sent. */
	"CONNECTION_LOST",
	/** What answered does not speak Skein's protocol. */
	"PROTOCOL_ERROR",
	/** The client, or the transaction, was closed before. */
	"CLOSED",
] as const;
export type ClientErrorCode = (typeof clientErrorCodes)[number];

/**
 * What became of a write. `unknown`: it may still be committed; send it again only with the same
 * idempotency key, or look first.
 */
export type Outcome = "happened" | "did-not-happen" | "unknown";

export interface SkeinErrorOptions {
	readonly code: SkeinErrorCode | ClientErrorCode | (string & {});
	readonly outcome?: Outcome;
	/** SQLite's extended name, such as SQLITE_CONSTRAINT_UNIQUE. */
	readonly extendedCode?: string | undefined;
	readonly cause?: unknown;
}

export class SkeinError extends Error {
	readonly code: string;
	readonly outcome: Outcome;
	readonly extendedCode: string | undefined;

	constructor(message: string, options: SkeinErrorOptions) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.name = "SkeinError";
		this.code = options.code;
		this.outcome = options.outcome ?? "did-not-happen";
		this.extendedCode = options.extendedCode;
	}
}
