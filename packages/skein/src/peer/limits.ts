/** What bounds a connection between nodes: sizes and times, with their defaults. */
import type { Milliseconds } from "../world/clock.ts";
import type { Lane } from "../world/network.ts";

export interface PeerLimits {
	/** Bytes that wait for one peer on one lane; above, `send` says false. */
	readonly maxQueuedBytes: Readonly<Record<Lane, number>>;
	/** The longest message. A longer one is not sent; one that arrives ends the connection. */
	readonly maxMessageBytes: Readonly<Record<Lane, number>>;
	/** From the first byte to the end of the handshake. */
	readonly handshakeTimeoutMs: Milliseconds;
	/** Connections that have not proved yet who they are. */
	readonly maxPendingHandshakes: number;
	/** Bytes were sent, and for so long the peer has confirmed none: the connection is torn down. */
	readonly stallTimeoutMs: Milliseconds;
	/** How often a receiver confirms what it received, and stalls are looked for. */
	readonly receiptIntervalMs: Milliseconds;
	readonly minReconnectMs: Milliseconds;
	readonly maxReconnectMs: Milliseconds;
	/** A node that is no member any more is still spoken to for so long. */
	readonly forgetAfterMs: Milliseconds;
	/** A refusal or failure of the same peer for the same reason is logged once in this time. */
	readonly logIntervalMs: Milliseconds;
}

const mebibyte = 1024 * 1024;

export const defaultPeerLimits: PeerLimits = {
	maxQueuedBytes: { control: mebibyte, log: 64 * mebibyte, bulk: 4 * mebibyte },
	maxMessageBytes: { control: 256 * 1024, log: 48 * mebibyte, bulk: 2 * mebibyte },
	handshakeTimeoutMs: 3_000,
	maxPendingHandshakes: 64,
	stallTimeoutMs: 10_000,
	receiptIntervalMs: 1_000,
	minReconnectMs: 20,
	maxReconnectMs: 1_000,
	forgetAfterMs: 30_000,
	logIntervalMs: 60_000,
};
