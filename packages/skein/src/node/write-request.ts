/** What the writer is given of a client's request, on the leader: from its own clients and from other nodes' alike. */
import { type Acknowledgement, isEarly } from "../consensus/acknowledge/acknowledgement.ts";
import type { WriteRequest } from "../database/database.ts";
import type { QueuedWrite, StreamKey } from "./write-queue.ts";

export interface RequestFields extends Omit<WriteRequest, "note"> {
	readonly stream: StreamKey;
	readonly acknowledgement: Acknowledgement;
	/** Milliseconds since 1970. */
	readonly wallTimeMs: number;
}

/**
 * What a write is, as of when it is taken from the queue. One that names no mode goes by the one that is chosen then: who takes has
 * applied all choices before its term. A leader that does not serve yet knows older ones (found by simulation, seed 52286057).
 */
export function asOfTaking(
	fields: Omit<RequestFields, "acknowledgement">,
	acknowledgementThen: () => Acknowledgement,
): () => Pick<QueuedWrite, "request" | "acknowledgement"> {
	let taken: Pick<QueuedWrite, "request" | "acknowledgement"> | null = null;
	return () => {
		if (taken !== null) return taken;
		const acknowledgement = acknowledgementThen();
		taken = { acknowledgement, request: writeRequest({ ...fields, acknowledgement }) };
		return taken;
	};
}

/** With a note of who sent it, if it may be answered before it is committed: its loss would have to be told. */
export function writeRequest(fields: RequestFields): WriteRequest {
	const { stream, acknowledgement, wallTimeMs, ...request } = fields;
	const { idempotencyKey } = request;
	if (!isEarly(acknowledgement)) return { ...request, note: null };
	return { ...request, note: { client: stream, idempotencyKey, wallTimeMs, acknowledgement } };
}
