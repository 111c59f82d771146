/**
 * Who is to lead: a property of a member in the configuration. It decides who stands and to whom leadership is handed,
 * never how it is granted, so it can cost availability only.
 *
 * Who never leads votes and holds the log like anybody else, and so it may be the one whose log is ahead, or the only one to
 * know that another member may lead now: then nobody would ever win, with a majority there. So it stands after a
 * long silence all the same, as a caretaker: it takes no writes, brings somebody who may lead up to date, and hands over.
 * Where nobody who may is left, it can still be asked for other members, or other priorities.
 */

import { neverLeads } from "./quorum.ts";
import type { CoreState, LeaderState } from "./state.ts";
import { configurationOf } from "./state.ts";
import { beginTransfer, bestTarget } from "./transfer.ts";

/** So many election timeouts those that may lead have for themselves. */
const caretakerTimeouts = 8;

/**
 * So many it leads where nobody takes over, since somebody else may reach whom it does not; then twice as many, and so
 * on, since nobody who may lead may be there at all, and reads should go on.
 */
const uselessTimeouts = 20;
const mostDoublings = 6;

/** It is not to stand by itself, or not yet. */
export function isSpared(state: CoreState): boolean {
	if (!neverLeads(configurationOf(state), state.self)) return false;
	// Who has led so in vain lets others that never lead go first: they may reach whom it does not (found by simulation).
	const timeouts = caretakerTimeouts * 2 ** Math.min(state.uselessReigns, mostDoublings);
	const since = Math.max(state.lastLeaderContact, state.gaveWayAt);
	return state.now - since < timeouts * state.settings.electionTimeoutMs;
}

/** It leads only until somebody who may has everything. */
export function isCaretaker(state: CoreState): boolean {
	return state.roleState.role === "leader" && neverLeads(configurationOf(state), state.self);
}

/** It should give way now. A snapshot that is under way may take as long as it takes. */
export function isUseless(state: CoreState, leader: LeaderState): boolean {
	if (!isCaretaker(state)) return false;
	const limit = uselessTimeouts * 2 ** Math.min(state.uselessReigns, mostDoublings);
	if (state.now - leader.since < limit * state.settings.electionTimeoutMs) return false;
	return [...leader.progress.values()].every(({ mode }) => mode !== "snapshot");
}

/** Looked at with each tick: who was not heard, or did not take over in time, is tried again. */
export function handOverAsCaretaker(state: CoreState, leader: LeaderState): void {
	if (!isCaretaker(state) || !leader.established || state.transfer !== null) return;
	const next = bestTarget(state, leader);
	// Everybody counts as heard at first: who is dead would be waited for.
	if (next !== null && leader.progress.get(next)?.lastContact !== null) beginTransfer(state, next);
}
