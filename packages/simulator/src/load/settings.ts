/** What clients do, and how often: drawn once for a run (run/swarm.ts). */
import type { Acknowledgement } from "../../../skein/src/consensus/acknowledge/acknowledgement.ts";

/** "node's": the write does not say, so the mode of its node holds. */
export type AskedMode = Acknowledgement | "node's";

export interface LoadSettings {
	readonly clients: number;
	/** Between the end of an operation and the next, on average. */
	readonly thinkMs: number;
	/** Between a client and its node, one way. */
	readonly delayMs: number;
	readonly keys: number;
	/** Characters that a value is longer than its name, at most; now and then. */
	readonly paddingLength: number;
	/** Relative frequencies of what a client does. */
	readonly weights: Readonly<Record<OperationKind, number>>;
	/** Share of writes that carry an idempotency key. */
	readonly keyedShare: number;
	/** How often an operation is tried, at most. */
	readonly attempts: number;
	/** The time limit that the node is told. */
	readonly timeoutMs: number;
	/** A client waits for longer than its node, by this factor; below 1 it gives up early. */
	readonly patience: number;
	/** Share of operations whose client goes away before it hears anything. */
	readonly goneShare: number;
	/** A client stays with its node, or asks another one each time. */
	readonly wanders: boolean;
	/** What clients ask for with their writes, each as likely as the others. */
	readonly modes: readonly AskedMode[];
	/** The mode that nodes are started with, for writes that leave it out. */
	readonly nodeMode: Acknowledgement;
	/** What an operator may choose instead, while the run goes on. */
	readonly chosenModes: readonly Acknowledgement[];
	/** Between two choices, on average; null: none. */
	readonly modeChangesEveryMs: number | null;
	/** A client whose node does not take its connection goes to another one, this often. */
	readonly leavesShare: number;
	/** Of each client; an operation belongs to one of them. */
	readonly sessions: number;
	/** What bounded reads ask for. */
	readonly boundsMs: readonly number[];
}

export const operationKinds = [
	"write",
	"delete",
	"append",
	"compare-and-set",
	"read-modify-write",
	"multi-write",
	"read",
	"multi-read",
	"eventual-read",
	"interactive",
	"read-transaction",
	"upgrade",
	"refused",
	"lost-race",
	"locked-read",
	"session-read",
	"bounded-read",
	"in-parts",
] as const;
export type OperationKind = (typeof operationKinds)[number];
