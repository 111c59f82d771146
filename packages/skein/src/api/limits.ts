/** Every bound of the API and its default: bytes, counts and waits. */
import type { Milliseconds } from "../world/clock.ts";

export interface ApiLimits {
	/** One request's body; more is PAYLOAD_TOO_LARGE. Below what nodes pass on in one message, so that it does not depend on the node. */
	readonly maxBodyBytes: number;
	/** JSON values in one body; more is PAYLOAD_TOO_LARGE. Together with `maxBodyBytes` it also bounds what a body becomes between nodes. */
	readonly maxJsonValues: number;
	/** Bodies of all requests in flight together; more is OVERLOADED. */
	readonly maxBufferedBytes: number;
	/** Requests that were received and not answered yet; one more is OVERLOADED. */
	readonly maxInFlight: number;
	/** Streams of the libSQL protocol that may be open at once; one more is OVERLOADED. */
	readonly maxStreams: number;
	/** Characters of SQL, and statements, in one request; more is PAYLOAD_TOO_LARGE. */
	readonly maxSqlLength: number;
	readonly maxStatements: number;
	/** Characters of one pipeline's answer from which on no further program of it is run; each is bounded by itself. More is PAYLOAD_TOO_LARGE. */
	readonly maxAnswerLength: number;
	/** Arguments of one statement: SQLite's own bound for parameters. */
	readonly maxArguments: number;
	/** SQL texts that one stream may store, and the characters of each. */
	readonly maxStoredTexts: number;
	readonly maxStoredTextLength: number;
	/** A kept stream whose client sends nothing for this long is closed: what it holds is rolled back. */
	readonly streamIdleMs: Milliseconds;
	/** For how long, and for how many, an expired stream is told from one that never was. */
	readonly expiredMemoryMs: Milliseconds;
	readonly maxExpiredRemembered: number;
	/** What one request may take in all, waiting for a leader included. */
	readonly requestTimeoutMs: Milliseconds;
	/** A client gets this long to send its headers, and its whole request. */
	readonly headersTimeoutMs: Milliseconds;
	readonly receiveTimeoutMs: Milliseconds;
	/** An idle connection is kept for this long. */
	readonly keepAliveMs: Milliseconds;
	/** Stopping: how long kept connections may still bring a request, so that each is told to go elsewhere. */
	readonly drainMs: Milliseconds;
}

export const defaultApiLimits: ApiLimits = {
	maxBodyBytes: 32 * 1024 * 1024,
	maxJsonValues: 1_000_000,
	maxBufferedBytes: 512 * 1024 * 1024,
	maxInFlight: 10_000,
	maxStreams: 10_000,
	maxSqlLength: 4 * 1024 * 1024,
	maxStatements: 20_000,
	maxAnswerLength: 64 * 1024 * 1024,
	maxArguments: 32_766,
	maxStoredTexts: 50,
	maxStoredTextLength: 5_000,
	streamIdleMs: 10_000,
	expiredMemoryMs: 300_000,
	maxExpiredRemembered: 10_000,
	requestTimeoutMs: 30_000,
	headersTimeoutMs: 10_000,
	receiveTimeoutMs: 60_000,
	keepAliveMs: 65_000,
	drainMs: 2_000,
};
