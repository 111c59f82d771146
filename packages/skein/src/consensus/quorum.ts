/** Majority and joint majority, by the obvious algorithm: sort and take the one in the middle. */
import type { Configuration, NodeId } from "./types.ts";

/**
 * The highest value that a majority of `voters` has reached. No voters: no limit (Infinity), so that
 * the absent half of a configuration that is not joint never holds anything back.
 */
export function majorityValue(voters: readonly NodeId[], valueOf: (voter: NodeId) => number): number {
	if (voters.length === 0) return Number.POSITIVE_INFINITY;
	// Sorted anew each time: an incrementally kept order went wrong elsewhere (openraft issue 1802).
	const values = sortDown(voters.map(valueOf));
	return values[Math.floor(values.length / 2)] ?? Number.POSITIVE_INFINITY;
}

/** In place, by insertion: of a few values that is several times faster than the general sort, and needs no memory. */
function sortDown(values: number[]): number[] {
	for (let sorted = 1; sorted < values.length; sorted++) {
		const value = values[sorted] ?? 0;
		let place = sorted;
		for (; place > 0 && (values[place - 1] ?? 0) < value; place--) values[place] = values[place - 1] ?? 0;
		values[place] = value;
	}
	return values;
}

/**
 * The highest value that the configuration's quorum has reached: both majorities while it is joint. Where
 * nobody votes there is no quorum, which a new member's empty configuration rests on (bug 14).
 */
export function quorumValue(configuration: Configuration, valueOf: (voter: NodeId) => number): number {
	if (configuration.voters.length === 0) return 0;
	return Math.min(
		majorityValue(configuration.voters, valueOf),
		majorityValue(configuration.outgoingVoters, valueOf),
	);
}

export function isQuorum(configuration: Configuration, agrees: (voter: NodeId) => boolean): boolean {
	return quorumValue(configuration, (voter) => (agrees(voter) ? 1 : 0)) >= 1;
}

/** Everybody whose vote counts, each once. */
export function allVoters(configuration: Configuration): NodeId[] {
	return [...new Set([...configuration.voters, ...configuration.outgoingVoters])];
}

export function isVoter(configuration: Configuration, node: NodeId): boolean {
	return configuration.voters.includes(node) || configuration.outgoingVoters.includes(node);
}

export function isMember(configuration: Configuration, node: NodeId): boolean {
	return configuration.members.some((member) => member.id === node);
}

/** By its priority, or because it has no data to serve. */
export function neverLeads({ members }: Configuration, node: NodeId): boolean {
	const member = members.find(({ id }) => id === node);
	return member?.priority === "never" || member?.witness === true;
}

export function isWitness({ members }: Pick<Configuration, "members">, node: NodeId): boolean {
	return members.find(({ id }) => id === node)?.witness === true;
}
