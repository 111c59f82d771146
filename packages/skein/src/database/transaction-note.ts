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

/** Rows are arrays by place of the column; `key` has the places of the primary key. Enough to make the change again. */
export type NotedChange =
	/** A statement that changes the schema, or a pragma of the file. */
	| { readonly operation: "sql"; readonly sql: string }
	/** One that was logged as it is (log format `statement`), its values by the number of the parameter. */
	| { readonly operation: "statement"; readonly sql: string; readonly values: NotedRow }
	| {
			readonly operation: "insert" | "delete";
			readonly table: string;
			readonly key: readonly number[];
			readonly row: NotedRow;
	  }
	/** What it was, then what it became. */
	| {
			readonly operation: "update";
			readonly table: string;
			readonly key: readonly number[];
			readonly before: NotedRow;
			readonly after: NotedRow;
	  }
	/** Of a table whose rows have no key but their number: what is there now (null: nothing), not what was. */
	| {
			readonly operation: "row";
			readonly table: string;
			/** The name of that number. */
			readonly rowid: string;
			readonly number: NotedValue;
			readonly columns: readonly string[];
			readonly row: NotedRow | null;
	  };

export type NotedRow = readonly NotedValue[];

/**
 * As JSON shows it: a whole number is an INTEGER, any other a REAL. What JSON cannot say so: an integer beyond 2^53, a
 * real without a fraction or beyond all numbers, a blob, a text that is no UTF-8; and what an update left as it was.
 */
export type NotedValue =
	| null
	| number
	| string
	| { readonly integer: string }
	| { readonly real: string }
	| { readonly base64: string }
	| { readonly textBase64: string }
	| { readonly unchanged: true };
