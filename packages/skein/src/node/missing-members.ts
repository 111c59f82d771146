/**
 * Which members a write may have waited for in vain, in words for its client. Only the leader knows; a follower asks it
 * once for all that ask here meanwhile, and no longer than a moment: the client's time is over.
 */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { isVoter, isWitness } from "../consensus/quorum.ts";
import type { NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";
import type { ClusterView } from "./service.ts";

const askMs: Milliseconds = 100;

export interface MissingMembers {
	/** "; not up to date: n2, n3", or nothing where nobody is known to be missing. */
	inWords(acknowledgement: Acknowledgement): Promise<string>;
}

export interface MissingMembersOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly forwarding: Pick<Forwarding, "call">;
	readonly clock: Clock;
}

export function createMissingMembers({
	self,
	runner,
	forwarding,
	clock,
}: MissingMembersOptions): MissingMembers {
	let asking: Promise<ClusterView | null> | null = null;

	function known(acknowledgement: Acknowledgement): string {
		const { progress, durableIndex, commitIndex, configuration, chain } = runner().core.view;
		const names: NodeId[] = [];
		const witnesses: NodeId[] = [];
		for (const [id, one] of progress) {
			const isInChain = chain.includes(id);
			const votes =
				isVoter(configuration, id) && !(acknowledgement.mode === "sync" && isWitness(configuration, id));
			if (!isWaitedFor(acknowledgement, votes, one.inSync, isInChain)) continue;
			const isBehind = isApplyAwaited(acknowledgement, chain.at(-1) === id)
				? (one.appliedIndex ?? 0) < commitIndex
				: one.matchIndex < durableIndex;
			// A witness is sent what the others have: they are the reason, if any of them lacks something.
			if (isBehind) (isWitness(configuration, id) ? witnesses : names).push(id);
		}
		return listed(names.length > 0 ? names : witnesses);
	}

	async function ask(leader: NodeId): Promise<ClusterView | null> {
		try {
			const body = await forwarding.call(leader, "cluster", "{}", clock.now() + askMs);
			return JSON.parse(body) as ClusterView;
		} catch {
			return null;
		}
	}

	return {
		async inWords(acknowledgement) {
			const { role, leader } = runner().state;
			if (role === "leader") return known(acknowledgement);
			if (leader === null || leader === self) return "; no leader is known any more";
			asking ??= ask(leader).finally(() => {
				asking = null;
			});
			const view = await asking;
			if (view === null) return `; the leader ${leader} does not say which members are behind`;
			return listed(behindIn(view, acknowledgement));
		},
	};
}

/** `sync` waits for databases, whoever's they are; `chain` for all in the chain; all other modes for the logs of voters. */
function isWaitedFor(
	acknowledgement: Acknowledgement,
	votes: boolean,
	inSync: boolean | null,
	isInChain: boolean,
): boolean {
	if (acknowledgement.mode === "chain" && isInChain) return true;
	if (acknowledgement.mode !== "sync") return votes;
	return inSync === true || (acknowledgement.strict && votes);
}

function isApplyAwaited({ mode }: Acknowledgement, isTail: boolean): boolean {
	return mode === "sync" || (mode === "chain" && isTail);
}

function behindIn({ databases }: ClusterView, acknowledgement: Acknowledgement): NodeId[] {
	const { mode } = acknowledgement;
	const database = databases["default"];
	if (database === undefined) return [];
	const { leader, members, chain } = database;
	const end = (leader === null ? null : members[leader]?.matchIndex) ?? null;
	if (end === null) return [];
	const behind = Object.entries(members).filter(([id, { kind, matchIndex, appliedIndex, inSync }]) => {
		const votes = kind === "voter" || kind === "leaving" || (kind === "witness" && mode !== "sync");
		if (!isWaitedFor(acknowledgement, votes, inSync, chain.includes(id))) return false;
		if (isApplyAwaited(acknowledgement, chain.at(-1) === id))
			return (appliedIndex ?? 0) < database.commitIndex;
		return matchIndex !== null && matchIndex < end;
	});
	const withData = behind.filter(([, { kind }]) => kind !== "witness");
	return (withData.length > 0 ? withData : behind).map(([id]) => id);
}

const listed = (behind: readonly NodeId[]): string =>
	behind.length === 0 ? "" : `; not up to date: ${behind.join(", ")}`;
