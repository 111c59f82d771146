/**
 * Joining a cluster that runs: asks any of its nodes who belongs to it, and to be added, until the leader has
 * sent the log in which this node is a member. From then on that log says all there is to know.
 */
import type { Client } from "../../../client/src/index.ts";
import type { Member, NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds, Timer } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";

const askAgainMs: Milliseconds = 1_000;

/** joining: a learner that becomes a voter by itself. */
export type JoinKind = "joining" | "learner" | "witness";

export interface KnownCluster {
	readonly clusterId: string;
	readonly members: readonly Member[];
}

/** Throws where nobody answers. */
export async function lookForCluster(client: Client): Promise<KnownCluster> {
	const view = await client.call("GET", "cluster");
	const { cluster, databases } = view as {
		cluster?: unknown;
		databases?: { default?: { members?: Record<NodeId, { peer?: unknown }> } };
	};
	const members = Object.entries(databases?.default?.members ?? {});
	if (typeof cluster !== "string" || members.length === 0) {
		throw new Error("the answer to GET /cluster names no cluster and no members");
	}
	return { clusterId: cluster, members: members.map(([id, { peer }]) => ({ id, peer: String(peer) })) };
}

export interface JoinOptions {
	readonly client: Client;
	readonly self: NodeId;
	/** Where the others reach this node. */
	readonly peer: string;
	readonly as: JoinKind;
	/** The log says that this node belongs to the cluster. */
	readonly isMember: () => boolean;
	readonly meet: (members: readonly Member[]) => void;
	readonly clock: Clock;
	readonly logger: Logger;
}

/** The returned function ends it. */
export function keepJoining(options: JoinOptions): () => void {
	const { client, self, peer, logger } = options;
	let timer: Timer | null = null;
	let stopped = false;
	let said = "";

	async function ask(): Promise<void> {
		const { members } = await lookForCluster(client);
		options.meet(members);
		if (members.some(({ id }) => id === self)) return;
		const change = { change: "add", id: self, peer, as: options.as };
		await client.call("POST", "cluster/members", { changes: [change] });
	}

	async function goOn(): Promise<void> {
		if (stopped || options.isMember()) return;
		try {
			await ask();
			say("asked to be added: waiting for the log");
		} catch (error) {
			say(`not added yet: ${error instanceof Error ? error.message : String(error)}`);
		}
		if (!stopped) timer = options.clock.setTimer(askAgainMs, () => void goOn());
	}

	/** Once, until it is another. */
	function say(what: string): void {
		if (what !== said) logger.info({ node: self, peer }, what);
		said = what;
	}

	void goOn();
	return () => {
		stopped = true;
		timer?.cancel();
	};
}
