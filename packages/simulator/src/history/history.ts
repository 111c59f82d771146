/**
 * What clients asked of a cluster and what they heard, as plain data: the input of every check in
 * this folder. Nothing here knows what a node did inside.
 *
 * The data are registers: a key holds one value or none (null). An operation is one request, or one
 * interactive transaction: a list of steps on registers that happens whole or not at all. A request
 * that is tried again under its idempotency key is several operations here, one for each attempt;
 * attempts.ts puts them together for checks that want the request.
 *
 * Promised: operations stand in the order in which they were invoked, and orders (not times, which
 * may be equal) say which ended before which began. Not checked here: that values are unique; some
 * checks are stronger, and all are faster, when no two steps write the same value to one key.
 */
import type { NodeId, Position } from "../../../skein/src/consensus/types.ts";
import type { WorldTime } from "../engine/scheduler.ts";

export type ClientId = string;
export type Key = string;
/** null: the register holds nothing; every register begins so. */
export type Value = string | null;

/**
 * write null deletes. compare-and-set writes `value` if the register holds `expected`, else nothing.
 * append puts its value behind what is there: "a;" then "a;b;" (see appended).
 */
export type Step =
	| { readonly kind: "read"; readonly key: Key }
	| { readonly kind: "write"; readonly key: Key; readonly value: Value }
	| {
			readonly kind: "compare-and-set";
			readonly key: Key;
			readonly expected: Value;
			readonly value: Value;
	  }
	| { readonly kind: "append"; readonly key: Key; readonly value: string };

/** What the register held just before the step, in its own transaction's eyes; undefined: the client did not learn it. */
export type Seen = Value | undefined;

export type ReadLevel =
	| { readonly level: "linearizable" }
	| { readonly level: "session" }
	| { readonly level: "bounded"; readonly maxStalenessMs: number }
	| { readonly level: "eventual" };

export type AcknowledgementMode = "async" | "semi-sync" | "quorum" | "sync" | "chain";

/** A write that was acknowledged in this mode may be lost. */
export function mayLose(mode: AcknowledgementMode): boolean {
	return mode === "async" || mode === "semi-sync";
}

/**
 * ok: it happened, and `seen` is what it saw. failed: it certainly did not happen and never will
 * (outcome did-not-happen of an error, or rolled back). unknown: it may have happened, may happen
 * at any later time, or never.
 */
export type Outcome = "ok" | "failed" | "unknown";

/** What a client says when it begins an operation. */
export interface Call {
	readonly client: ClientId;
	/** Operations of one session follow one another and carry its token; null: none. */
	readonly session: string | null;
	/** For an interactive transaction empty at first: see Recorder.step. */
	readonly steps: readonly Step[];
	/** Of an operation that only reads; null: it goes the way of a write, and its reads are linearizable. */
	readonly level: ReadLevel | null;
	/** Of an operation that may write; null: it only reads. */
	readonly acknowledgement: AcknowledgementMode | null;
	/** The node that was asked. */
	readonly node: NodeId;
	readonly idempotencyKey: string | null;
	/** 1 for the first attempt under its key, then 2 … */
	readonly attempt: number;
}

export interface Operation extends Call {
	/** Its place in History.operations. */
	readonly id: number;
	readonly invokedAt: WorldTime;
	/** Invocations and completions share one numbering: the true order of all of them. */
	readonly invokedOrder: number;
	/** null: not completed (the client gave up without a word, crashed, or the run ended). */
	readonly completedAt: WorldTime | null;
	/** Infinity while not completed. */
	readonly completedOrder: number;
	/** unknown while not completed. */
	readonly outcome: Outcome;
	/** As long as `steps`. */
	readonly seen: readonly Seen[];
	/** What the answer said it reflects (the session token); null: no answer, or it said nothing. */
	readonly position: Position | null;
	/** How old the state that it saw was, at most, by the answer; null: the answer did not say. */
	readonly stalenessMs: number | null;
	/** The member that read called itself in-sync when it began; null: it did not say. */
	readonly inSync: boolean | null;
	/** The answer was stored for its idempotency key by an earlier attempt. */
	readonly replayed: boolean;
	/** The error's code, for people who read a failing run. */
	readonly code: string | null;
}

export interface History {
	readonly operations: readonly Operation[];
}

export interface Completion {
	readonly outcome: Outcome;
	/** As long as the steps; left out: what `saw` noted, or nothing. */
	readonly seen?: readonly Seen[];
	readonly position?: Position | null;
	readonly stalenessMs?: number | null;
	readonly inSync?: boolean | null;
	readonly replayed?: boolean;
	/** Of a write, if its answer named a mode: it counts, and not what was expected. */
	readonly acknowledgement?: AcknowledgementMode;
	readonly code?: string;
}

export interface Recorder {
	readonly history: History;
	/** Must be called before anything is sent. Returns the operation's id. */
	invoke(call: Call): number;
	/** One step more of an interactive transaction, before it is sent. Returns its place. */
	step(id: number, step: Step): number;
	/** The answer to one step of an interactive transaction. */
	saw(id: number, place: number, seen: Seen): void;
	/** At most once, when the client has heard the end of it. An operation that is never completed stays unknown. */
	complete(id: number, completion: Completion): void;
}

type Mutable = { -readonly [Name in keyof Operation]: Operation[Name] } & { steps: Step[]; seen: Seen[] };

export function createRecorder(now: () => WorldTime): Recorder {
	const operations: Mutable[] = [];
	let orders = 0;

	function pending(id: number): Mutable {
		const operation = operations[id];
		if (operation === undefined) throw new RangeError(`there is no operation ${id}`);
		if (operation.completedAt !== null) throw new Error(`operation ${id} is completed already`);
		return operation;
	}

	return {
		history: { operations },
		invoke(call) {
			const id = operations.length;
			operations.push({
				...call,
				steps: [...call.steps],
				id,
				invokedAt: now(),
				invokedOrder: orders++,
				completedAt: null,
				completedOrder: Number.POSITIVE_INFINITY,
				outcome: "unknown",
				seen: call.steps.map(() => undefined),
				position: null,
				stalenessMs: null,
				inSync: null,
				replayed: false,
				code: null,
			});
			return id;
		},
		step(id, step) {
			const operation = pending(id);
			operation.seen.push(undefined);
			return operation.steps.push(step) - 1;
		},
		saw(id, place, seen) {
			const operation = pending(id);
			if (place >= operation.steps.length) throw new RangeError(`operation ${id} has no step ${place}`);
			operation.seen[place] = seen;
		},
		complete(id, completion) {
			const operation = pending(id);
			const seen = completion.seen ?? operation.seen;
			if (seen.length !== operation.steps.length) {
				throw new RangeError(`operation ${id} has ${operation.steps.length} steps, not ${seen.length}`);
			}
			operation.seen = [...seen];
			operation.completedAt = now();
			operation.completedOrder = orders++;
			operation.outcome = completion.outcome;
			operation.position = completion.position ?? null;
			operation.stalenessMs = completion.stalenessMs ?? null;
			operation.inSync = completion.inSync ?? null;
			operation.replayed = completion.replayed ?? false;
			// What only reads may go the way of a write, and is none.
			if (operation.acknowledgement !== null && completion.acknowledgement !== undefined)
				operation.acknowledgement = completion.acknowledgement;
			operation.code = completion.code ?? null;
		},
	};
}

/** A register's content after an append. No value may contain ";". */
export function appended(before: Value, value: string): string {
	return `${before ?? ""}${value};`;
}

/** The item that was appended last, as it stands in the list: "b;" of "a;b;". Of a value without items all of it. */
export function lastItem(list: string): string {
	return list.slice(list.lastIndexOf(";", list.length - 2) + 1);
}

/** What a step leaves in its register. */
export function after(step: Step, before: Value): Value {
	switch (step.kind) {
		case "read":
			return before;
		case "write":
			return step.value;
		case "compare-and-set":
			return before === step.expected ? step.value : before;
		case "append":
			return appended(before, step.value);
		default: {
			const never: never = step;
			throw new Error(String(never));
		}
	}
}

/** Whether a check of writes and of linearizable reads concerns it. */
export function isLinearizable(operation: Operation): boolean {
	return operation.level === null || operation.level.level === "linearizable";
}
