/** What a recovery from this survivor would keep, what it may lose, and the sentence that an operator has to give for it. */
import { isQuorum, isWitness } from "../../consensus/quorum.ts";
import type { Configuration, ElectorName, LogIndex, NodeId, Position } from "../../consensus/types.ts";
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
	/** Of those with data. */
	readonly best: { readonly node: NodeId; readonly last: Position };
	/** The witness that knows of most, where that is more than the best has. Null: none does. */
	readonly witness: { readonly node: NodeId; readonly last: Position } | null;
	readonly givenUp: readonly NodeId[];
	/** Somebody still takes connections at the address of these. */
	readonly answering: readonly NodeId[];
	/** Stays chosen. Null: none is. */
	readonly elector: ElectorName | null;
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
	const witnesses = others.filter((other) => isWitnessOf(survivor, other.node));
	const best = others
		.filter((other) => !witnesses.includes(other))
		.reduce<RecoveryPlan["best"]>(later, { node, last });
	const ahead = witnesses.filter((one) => endsBefore(best.last, one.last));
	refuseWithQuorum(survivor, lookedAt, new Set(ahead.map((one) => one.node)));
	const known = ahead.reduce<RecoveryPlan["best"]>(later, best);
	const witness = known === best ? null : known;
	const seesAllCommitted = survivor.configurations.every(
		(configuration) => !isQuorum(configuration, (voter) => !lookedAt.has(voter)),
	);
	const givenUp = membersOf(survivor)
		.map(({ id }) => id)
		.filter((id) => id !== node);
	const losesNothing = seesAllCommitted && best.node === node && witness === null;
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
		witness,
		givenUp,
		answering,
		elector: survivor.configurations.at(-1)?.elector ?? null,
		sentence: sentenceFor({ node, last, best, witness, givenUp, answering, losesNothing }),
	};
}

function later(
	found: RecoveryPlan["best"],
	{ node, last }: Pick<OtherSurvivor, "node" | "last">,
): RecoveryPlan["best"] {
	return endsBefore(found.last, last) ? { node, last } : found;
}

function isWitnessOf({ configurations }: Survivor, node: NodeId): boolean {
	return configurations.some((configuration) => isWitness(configuration, node));
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
	plan: Pick<RecoveryPlan, "node" | "last" | "best" | "witness" | "givenUp" | "answering"> & {
		readonly losesNothing: boolean;
	},
): string {
	const { node, last, best, witness, givenUp, answering } = plan;
	const gone = `${allOf(givenUp)} ${givenUp.length === 1 ? "is" : "are"} gone for good`;
	const still = answering.length === 0 ? "" : `, though ${allOf(answering)} still takes connections`;
	if (best.node !== node)
		return `${gone}${still}, and what ${best.node} has up to ${positionText(best.last)} is lost`;
	if (witness !== null)
		return `${gone}${still}, and what ${witness.node} knows of up to ${positionText(witness.last)} is lost`;
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
	if (isWitness({ members }, identity.nodeId)) {
		throw new Error(
			`${identity.nodeId} is a witness and holds no data: a cluster is recovered from a member that does`,
		);
	}
	for (const { at, clusterId, node } of others) {
		if (clusterId !== identity.clusterId)
			throw new Error(`${at} belongs to cluster ${clusterId}, not to ${identity.clusterId}`);
		if (node === identity.nodeId) throw new Error(`${at} is ${node} itself`);
	}
}

/** `ahead`: witnesses that know of more than all who have data. They refuse each of them their votes, for ever. */
function refuseWithQuorum(
	{ configurations, identity }: Survivor,
	lookedAt: ReadonlySet<NodeId>,
	ahead: ReadonlySet<NodeId>,
): void {
	const configuration: Configuration | undefined = configurations.at(-1);
	const votes = (voter: NodeId): boolean => lookedAt.has(voter) && !ahead.has(voter);
	if (configuration === undefined || !isQuorum(configuration, votes)) return;
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
