/**
 * Which members a write may have waited for in vain, in words for its client. Only the leader knows; a follower asks it
 * once for all that ask here meanwhile, and no longer than a moment: the client's time is over.
 */
import type { NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";
import type { ClusterView } from "./service.ts";

const askMs: Milliseconds = 100;

export interface MissingMembers {
	/** "; not up to date: n2, n3", or nothing where nobody is known to be missing. */
	inWords(): Promise<string>;
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
	let asking: Promise<string> | null = null;

	function known(): string {
		const { progress, durableIndex } = runner().core.view;
		return listed([...progress].filter(([, { matchIndex }]) => matchIndex < durableIndex).map(([id]) => id));
	}

	async function ask(leader: NodeId): Promise<string> {
		try {
			const body = await forwarding.call(leader, "cluster", "{}", clock.now() + askMs);
			return listed(behindIn(JSON.parse(body) as ClusterView));
		} catch {
			return `; the leader ${leader} does not say which members are behind`;
		}
	}

	return {
		inWords() {
			const { role, leader } = runner().state;
			if (role === "leader") return Promise.resolve(known());
			if (leader === null || leader === self) return Promise.resolve("; no leader is known any more");
			asking ??= ask(leader).finally(() => {
				asking = null;
			});
			return asking;
		},
	};
}

function behindIn({ databases }: ClusterView): NodeId[] {
	const database = databases["default"];
	if (database === undefined) return [];
	const { leader, members } = database;
	const end = (leader === null ? null : members[leader]?.matchIndex) ?? null;
	if (end === null) return [];
	return Object.entries(members).flatMap(([id, { matchIndex }]) =>
		matchIndex !== null && matchIndex < end ? id : [],
	);
}

const listed = (behind: readonly NodeId[]): string =>
	behind.length === 0 ? "" : `; not up to date: ${behind.join(", ")}`;
