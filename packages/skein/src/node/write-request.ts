/** What the writer is given of a client's request, on the leader: from its own clients and from other nodes' alike. */
import { type Acknowledgement, isEarly } from "../consensus/acknowledge/acknowledgement.ts";
import type { WriteRequest } from "../database/database.ts";
import type { StreamKey } from "./write-queue.ts";

export interface RequestFields extends Omit<WriteRequest, "note"> {
	readonly stream: StreamKey;
	readonly acknowledgement: Acknowledgement;
	/** Milliseconds since 1970. */
	readonly wallTimeMs: number;
}

/** With a note of who sent it, if it may be answered before it is committed: its loss would have to be told. */
export function writeRequest(fields: RequestFields): WriteRequest {
	const { stream, acknowledgement, wallTimeMs, ...request } = fields;
	const { idempotencyKey } = request;
	if (!isEarly(acknowledgement)) return { ...request, note: null };
	return { ...request, note: { client: stream, idempotencyKey, wallTimeMs, acknowledgement } };
}
