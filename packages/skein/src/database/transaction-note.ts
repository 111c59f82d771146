/**
 * What an entry says of a client's transaction that may be answered before it is committed: who sent it, so that its
 * loss can be reported. It travels in the payload, and applying it changes nothing.
 */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";

export interface TransactionNote {
	/** The client's stream: the node that it reached, and a number there. */
	readonly client: string;
	readonly idempotencyKey: string | null;
	/** The leader's, when the request reached it; milliseconds since 1970. */
	readonly wallTimeMs: number;
	readonly acknowledgement: Acknowledgement;
}

/** What was lost, for people and programs to read. */
export interface NotedTransaction {
	readonly note: TransactionNote;
	readonly changes: readonly NotedChange[];
	/** More was changed than is shown. */
	readonly isCut: boolean;
}

export type NotedChange =
	/** A statement that changes the schema, or a pragma of the file. */
	| { readonly operation: "sql"; readonly sql: string }
	| {
			readonly operation: "insert" | "update" | "delete" | "rows";
			readonly table: string;
			/** By place of the column. update: what it was, then what it became; a column that stayed is left out as null. */
			readonly before?: readonly NotedValue[];
			readonly after?: readonly NotedValue[];
	  };

/** Integers beyond 2^53 are texts, blobs are { base64 }. */
export type NotedValue = null | number | string | { readonly base64: string };
