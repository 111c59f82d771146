/**
 * Acknowledgement modes: what must be on whose disk before the client of a write is answered. A mode moves
 * the answer and nothing else: what is committed is decided by majority, whatever was asked for. Each mode
 * is a pure function from how far the voters are to the index that the mode has reached.
 */
import type { LogIndex } from "../types.ts";
import { asyncIndex } from "./async.ts";
import { chainIndex } from "./chain.ts";
import { quorumIndex } from "./quorum.ts";
import { semiSyncIndex } from "./semi-sync.ts";
import type { Standing } from "./standing.ts";
import { syncIndex } from "./sync.ts";

export type Acknowledgement =
	/** The leader has it on disk. */
	| { readonly mode: "async" }
	/** The leader and so many other voters have it on disk. */
	| { readonly mode: "semi-sync"; readonly followers: number }
	/** It is committed: it can no longer be lost. */
	| { readonly mode: "quorum" }
	/** Everybody who is in-sync has applied it; strict: every voter. */
	| { readonly mode: "sync"; readonly strict: boolean }
	/** Everybody in the chain has it on disk, and its tail has applied it. */
	| { readonly mode: "chain" };

/** Everything up to here may be answered to those who asked for this mode. Never beyond the leader's own disk. */
export function acknowledgedIndex(standing: Standing, acknowledgement: Acknowledgement): LogIndex {
	switch (acknowledgement.mode) {
		case "async":
			return asyncIndex(standing);
		case "semi-sync":
			return semiSyncIndex(standing, acknowledgement.followers);
		case "quorum":
			return quorumIndex(standing);
		case "sync":
			return syncIndex(standing, acknowledgement.strict);
		case "chain":
			return chainIndex(standing);
	}
}

/** Whether what was answered in this mode may be lost with the leader. */
export function isEarly(acknowledgement: Acknowledgement): boolean {
	return acknowledgement.mode === "async" || acknowledgement.mode === "semi-sync";
}

/** Whether it may be met long after the commit, or never, for want of followers. */
export function waitsForFollowers(acknowledgement: Acknowledgement): boolean {
	const { mode } = acknowledgement;
	return mode === "semi-sync" || mode === "sync" || mode === "chain";
}
