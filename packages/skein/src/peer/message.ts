/**
 * Everything that nodes say to each other: the consensus messages, and what a node needs besides:
 * passing requests to the leader, snapshots, and telling the others about itself.
 */

import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { ConsensusMessage } from "../consensus/message.ts";
import type { Configuration, GroupId, LogIndex, NodeId, Position, Role } from "../consensus/types.ts";
import type { Program, ProgramOutcome } from "../database/program.ts";
import type { WireVersions } from "../world/network.ts";

interface Envelope {
	readonly group: GroupId;
	readonly from: NodeId;
	readonly to: NodeId;
}

/** A follower passes a client's program to the leader. */
export interface RunRequest extends Envelope {
	readonly type: "run-request";
	/** Unique for the sender's life; the answer repeats it. */
	readonly requestId: number;
	/** The client's stream, unique for the sender's life: the leader keeps its open transaction under (from, streamId). */
	readonly streamId: number;
	/** The sender believes that this stream has a transaction open at the receiver. If the receiver has none, it must refuse. */
	readonly inTransaction: boolean;
	/** `PRAGMA foreign_keys` of the stream. */
	readonly foreignKeys: boolean;
	readonly program: Program;
	/** The program may leave its transaction open. */
	readonly interactive: boolean;
	/** A read transaction that saw this index wants to go on writing: refuse unless it is still the newest. */
	readonly snapshotIndex: LogIndex | null;
	readonly idempotencyKey: string | null;
	/** Null: the one that the leader finds chosen for the database. */
	readonly acknowledgement: Acknowledgement | null;
	readonly timeoutMs: number;
}

export interface FailureReport {
	readonly code: string;
	readonly message: string;
	readonly outcome: "happened" | "did-not-happen" | "unknown";
	readonly extendedCode: string | null;
	/** The receiver was not the leader and did nothing: the sender may pass the request to another. */
	readonly notLeader: boolean;
}

export interface RunResponse extends Envelope {
	readonly type: "run-response";
	readonly requestId: number;
	readonly result:
		| {
				readonly ok: true;
				readonly outcome: ProgramOutcome;
				readonly position: Position;
				readonly replayed: boolean;
				/** The mode that it was answered in. */
				readonly acknowledgement: Acknowledgement;
		  }
		| { readonly ok: false; readonly failure: FailureReport };
}

/** The client is gone: the leader rolls back what the stream has open. No answer. */
export interface CloseStream extends Envelope {
	readonly type: "close-stream";
	readonly streamId: number;
}

/** The rare operations that only the leader can do; body and answer are JSON. */
export interface CallRequest extends Envelope {
	readonly type: "call-request";
	readonly requestId: number;
	readonly operation:
		| "transfer"
		| "cluster"
		| "snapshot"
		| "members"
		| "setting"
		| "step-down"
		| "elections"
		| "stand";
	readonly body: string;
}

export interface CallResponse extends Envelope {
	readonly type: "call-response";
	readonly requestId: number;
	readonly result:
		| { readonly ok: true; readonly body: string }
		| { readonly ok: false; readonly failure: FailureReport };
}

/** What a node tells every other about itself, a few times a second and when it changes. */
export interface StatusMessage extends Envelope {
	readonly type: "status";
	readonly role: Role;
	readonly term: number;
	/** Where clients reach this node, such as http://10.0.0.1:8080 */
	readonly url: string;
	readonly version: string;
	readonly appliedIndex: LogIndex;
	readonly commitIndex: LogIndex;
	readonly ready: boolean;
	/** Reported on its disk (lost/). */
	readonly lostTransactions: number;
	/** That it understands. */
	readonly wire: WireVersions;
}

/** The leader offers a snapshot; the follower answers with the byte from which it wants it. */
export interface SnapshotOffer extends Envelope {
	readonly type: "snapshot-offer";
	readonly term: number;
	/** Names these very bytes, so that an interrupted transfer of the same snapshot resumes. */
	readonly sha256: string;
	readonly applied: Position;
	readonly configurationIndex: LogIndex;
	readonly configuration: Configuration;
	readonly sizeBytes: number;
}

export interface SnapshotWant extends Envelope {
	readonly type: "snapshot-want";
	readonly sha256: string;
	/** Everything before is here already; also the acknowledgement that lets the sender go on. */
	readonly offset: number;
}

export interface SnapshotChunk extends Envelope {
	readonly type: "snapshot-chunk";
	readonly sha256: string;
	readonly offset: number;
	/** CRC-32 of `bytes`. */
	readonly checksum: number;
	readonly bytes: Uint8Array;
}

export interface SnapshotDone extends Envelope {
	readonly type: "snapshot-done";
	readonly sha256: string;
	/** Installed and durable; else why not. */
	readonly failure: string | null;
}

export type PeerMessage =
	| ConsensusMessage
	| RunRequest
	| RunResponse
	| CloseStream
	| CallRequest
	| CallResponse
	| StatusMessage
	| SnapshotOffer
	| SnapshotWant
	| SnapshotChunk
	| SnapshotDone;
