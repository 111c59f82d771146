/** What a recovery from this survivor would keep, what it may lose, and the sentence that an operator has to give for it. */
import { isQuorum } from "../../consensus/quorum.ts";
import type { Configuration, LogIndex, NodeId, Position } from "../../consensus/types.ts";
import { needsConfirmation } from "../confirmation.ts";
import { endsBefore, membersOf, type OtherSurvivor, positionText, type Survivor } from "./survivor.ts";

export interface RecoveryPlan {
	readonly node: NodeId;
	readonly cluster: string;
	readonly term: number;
	readonly last: Position;
	/** Up to here everything is known to be committed. */
	readonly committedIndex: LogIndex;
	/** In the log behind that: kept as if committed. Null: nothing. */
	readonly keptAsCommitted: { readonly first: LogIndex; readonly last: LogIndex } | null;
	/** Every entry that was ever committed is on one of the survivors that were looked at. */
	readonly seesAllCommitted: boolean;
	/** From here on entries may be lost; null: none that was committed. */
	readonly mayLoseFrom: LogIndex | null;
	readonly best: { readonly node: NodeId; readonly last: Position };
	readonly givenUp: readonly NodeId[];
	/** Somebody still takes connections at the address of these. */
	readonly answering: readonly NodeId[];
	readonly sentence: string;
}

/** Throws where a recovery is not what is needed. */
export function planRecovery(
	survivor: Survivor,
	others: readonly OtherSurvivor[],
	answering: readonly NodeId[],
): RecoveryPlan {
	const { identity, promise, last, applied } = survivor;
	const node = identity.nodeId;
	refuseStrangers(survivor, others);
	const lookedAt = new Set([node, ...others.map((other) => other.node)]);
	refuseWithQuorum(survivor, lookedAt);
	const best = others.reduce(
		(found, other) => (endsBefore(found.last, other.last) ? { node: other.node, last: other.last } : found),
		{ node, last },
	);
	const seesAllCommitted = survivor.configurations.every(
		(configuration) => !isQuorum(configuration, (voter) => !lookedAt.has(voter)),
	);
	const givenUp = membersOf(survivor)
		.map(({ id }) => id)
		.filter((id) => id !== node);
	const losesNothing = seesAllCommitted && best.node === node;
	return {
		node,
		cluster: identity.clusterId,
		term: promise.term,
		last,
		committedIndex: applied,
		keptAsCommitted: last.index > applied ? { first: applied + 1, last: last.index } : null,
		seesAllCommitted,
		mayLoseFrom: losesNothing ? null : last.index + 1,
		best,
		givenUp,
		answering,
		sentence: sentenceFor({ node, last, best, givenUp, answering, losesNothing }),
	};
}

/** Throws NEEDS_CONFIRMATION with the sentence, unless it is the one of this plan. */
export function mustBeConfirmed(plan: RecoveryPlan, confirm: string | null): void {
	if (confirm === plan.sentence) return;
	const { node, best } = plan;
	const why =
		best.node === node
			? `${allOf(plan.givenUp)} can never again take part in the cluster that ${node} makes`
			: `${node} is not the best survivor: ${best.node} has a log up to ${positionText(best.last)}, ${node} up to ${positionText(plan.last)}; recover ${best.node}`;
	throw needsConfirmation(why, plan.sentence);
}

function sentenceFor(
	plan: Pick<RecoveryPlan, "node" | "last" | "best" | "givenUp" | "answering"> & {
		readonly losesNothing: boolean;
	},
): string {
	const { node, last, best, givenUp, answering } = plan;
	const gone = `${allOf(givenUp)} ${givenUp.length === 1 ? "is" : "are"} gone for good`;
	const still = answering.length === 0 ? "" : `, though ${allOf(answering)} still takes connections`;
	if (best.node !== node)
		return `${gone}${still}, and what ${best.node} has up to ${positionText(best.last)} is lost`;
	return plan.losesNothing
		? `${gone}${still}`
		: `${gone}${still}, and what came after ${positionText(last)} is lost`;
}

function refuseStrangers({ identity, configurations }: Survivor, others: readonly OtherSurvivor[]): void {
	const members = configurations.at(-1)?.members ?? [];
	if (!members.some(({ id }) => id === identity.nodeId)) {
		throw new Error(
			`${identity.nodeId} is no member of the cluster, by its own log: a cluster is recovered from a member`,
		);
	}
	for (const { at, clusterId, node } of others) {
		if (clusterId !== identity.clusterId)
			throw new Error(`${at} belongs to cluster ${clusterId}, not to ${identity.clusterId}`);
		if (node === identity.nodeId) throw new Error(`${at} is ${node} itself`);
	}
}

function refuseWithQuorum({ configurations, identity }: Survivor, lookedAt: ReadonlySet<NodeId>): void {
	const configuration: Configuration | undefined = configurations.at(-1);
	if (configuration === undefined || !isQuorum(configuration, (voter) => lookedAt.has(voter))) return;
	const present = [...lookedAt].filter((node) => configuration.members.some(({ id }) => id === node));
	throw new Error(
		present.length === 1
			? `${identity.nodeId} is a majority by itself: start it`
			: `${allOf(present)} are a majority: start them, and remove who is gone with skein member remove`,
	);
}

/** "n1", "n1 and n2", "n1, n2 and n3" */
export function allOf(names: readonly string[]): string {
	const last = names.at(-1) ?? "nobody";
	return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}
