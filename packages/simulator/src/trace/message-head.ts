/**
 * What a message between members says of terms and indexes, for the trace. Only its first numbers are read; the
 * grammar is in peer/codec/.
 */
import type { LogIndex, NodeId, Term } from "../../../skein/src/consensus/types.ts";

/** null: messages of this kind have none. */
export interface MessageHead {
	/** As production calls the type. */
	readonly kind: string;
	readonly term: Term | null;
	/** Of an append: the entry before those that it brings; of a refusal: the one that is missing. */
	readonly previous: LogIndex | null;
	/** Of an append the first entry in it. */
	readonly first: LogIndex | null;
	/** Of an append the last entry in it; of a vote request or an answer to a heartbeat the last of the sender's log. */
	readonly last: LogIndex | null;
	/** What the sender knows to be committed; of an answer to a read the read index. */
	readonly commit: LogIndex | null;
	/** Of an answer to an append: up to here the follower has what the leader has, durable. */
	readonly match: LogIndex | null;
	/** Of an answer: yes or no. */
	readonly granted: boolean | null;
}

/** By the number that stands behind the version. */
const kinds: ReadonlyMap<number, string> = new Map([
	[1, "pre-vote-request"],
	[2, "pre-vote-response"],
	[3, "vote-request"],
	[4, "vote-response"],
	[5, "append-request"],
	[6, "append-response"],
	[7, "heartbeat-request"],
	[8, "heartbeat-response"],
	[9, "timeout-now"],
	[10, "read-index-request"],
	[11, "read-index-response"],
	[12, "apply-request"],
	[13, "applied-response"],
	[14, "chain-append"],
	[15, "elector-message"],
	[20, "run-request"],
	[21, "run-response"],
	[22, "close-stream"],
	[23, "call-request"],
	[24, "call-response"],
	[25, "status"],
	[30, "snapshot-offer"],
	[31, "snapshot-want"],
	[32, "snapshot-chunk"],
	[33, "snapshot-done"],
]);

/** The highest number of a message of consensus, which begins with its term. */
const lastOfConsensus = 15;

/** Behind version, type and group stand the names of sender and receiver, each behind its length. */
const namesAt = 6;

function bodyAt(bytes: Uint8Array): number {
	const receiverAt = namesAt + 1 + (bytes[namesAt] ?? 0);
	return receiverAt + 1 + (bytes[receiverAt] ?? 0);
}

/** Names are ASCII and short. */
function nameAt(bytes: Uint8Array, at: number): NodeId {
	let name = "";
	for (let place = at + 1; place <= at + (bytes[at] ?? 0); place++)
		name += String.fromCharCode(bytes[place] ?? 0);
	return name;
}

export function senderOf(bytes: Uint8Array): NodeId {
	return nameAt(bytes, namesAt);
}

/** Of a chain-append: whose it is, whoever passes it on. */
export function leaderOf(bytes: Uint8Array): NodeId {
	let at = bodyAt(bytes);
	while ((bytes[at] ?? 0) >= 0x80) at++;
	return nameAt(bytes, at + 1);
}

/** Of a message of consensus. */
export function termOf(bytes: Uint8Array): Term {
	let at = bodyAt(bytes);
	let term = 0;
	for (let factor = 1; ; factor *= 128) {
		const byte = bytes[at++] ?? 0;
		term += (byte & 0x7f) * factor;
		if (byte < 0x80) return term;
	}
}

export function headOf(bytes: Uint8Array): MessageHead {
	const number = bytes[1] ?? 0;
	const kind = kinds.get(number) ?? "unknown";
	let at = bodyAt(bytes);

	function next(): number {
		let value = 0;
		for (let factor = 1; ; factor *= 128) {
			const byte = bytes[at++] ?? 0;
			value += (byte & 0x7f) * factor;
			if (byte < 0x80) return value;
		}
	}

	/** The leader's name, and those of the members that come after the receiver. */
	function skipRoute(): void {
		at += 1 + (bytes[at] ?? 0);
		for (let left = next(); left > 0; left--) at += 1 + (bytes[at] ?? 0);
	}

	let previous: LogIndex | null = null;
	let first: LogIndex | null = null;
	let last: LogIndex | null = null;
	let commit: LogIndex | null = null;
	let match: LogIndex | null = null;
	let granted: boolean | null = null;
	const term = number <= lastOfConsensus ? next() : null;
	switch (kind) {
		case "pre-vote-request":
		case "vote-request":
			next();
			last = next();
			break;
		case "pre-vote-response":
			next();
			granted = next() === 1;
			break;
		case "vote-response":
			granted = next() === 1;
			break;
		case "chain-append":
		case "append-request": {
			if (kind === "chain-append") skipRoute();
			commit = next();
			next();
			previous = next();
			const count = next();
			if (count > 0) {
				first = previous + 1;
				last = previous + count;
			}
			break;
		}
		case "append-response":
			granted = next() === 1;
			if (granted) match = next();
			else previous = next();
			break;
		case "heartbeat-request":
			commit = next();
			break;
		case "heartbeat-response":
			next();
			last = next();
			break;
		case "apply-request":
			commit = next();
			break;
		case "read-index-response":
			next();
			commit = next();
			break;
		default:
	}
	return { kind, term, previous, first, last, commit, match, granted };
}
