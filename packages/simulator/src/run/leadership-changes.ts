/**
 * An operator who takes leadership away now and then, pauses elections or lets them go on, and says who is to lead and who
 * never is, on whatever member. Pauses end by themselves long before the healed must serve; if nobody of these may lead, the
 * operator says that they may.
 */

import type { NodeId } from "../../../skein/src/consensus/types.ts";
import { sentenceIn } from "../../../skein/src/node/confirmation.ts";
import type { Service } from "../../../skein/src/node/service.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type { Tell } from "../trace/event.ts";

export interface LeadershipChanges {
	/** Begins no further one. */
	stop(): void;
	/**
	 * From now on asks these that they all may lead, whenever `isPermitted` says that none of them may: a wish that nobody
	 * shall lead may be on its way still, and be heard after it was taken back (seeds 920000500 and 920002063 of sqlite).
	 */
	permit(members: readonly Member[], isPermitted: () => boolean): void;
}

export interface LeadershipChangesOptions {
	readonly cluster: Cluster;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly tell: Tell;
	/** Asks this member that somebody is to lead, or never is. */
	readonly prioritize: (member: Member, chance: Chance) => void;
	/** On average; null: never. */
	readonly everyMs: number | null;
	readonly onOutrage: (error: unknown) => void;
}

/** Between two questions of an operator who wants it done. */
const permitAgainMs = 500;

type Ask = (service: Service, confirm: string | null) => Promise<object>;

export function startLeadershipChanges(options: LeadershipChangesOptions): LeadershipChanges {
	const { cluster, scheduler, chance, tell, everyMs, onOutrage } = options;
	let stopped = false;

	function arm(meanMs: number): void {
		scheduler.after(chance.exponential(meanMs), () => {
			if (stopped) return;
			change(chance.pick(cluster.members));
			arm(meanMs);
		});
	}

	function change(member: Member): void {
		const { id: node, core } = member;
		if (chance.happens(0.3)) return options.prioritize(member, chance);
		const dryRun = chance.happens(0.05);
		if (chance.happens(0.4)) {
			const restMs = chance.pick([0, 300, 2_000]);
			const term = chance.happens(0.5) ? (core?.term ?? null) : null;
			tell({ type: "step-down", node, restMs });
			return ask(member, (service, confirm) => service.stepDown({ term, restMs, confirm, dryRun }));
		}
		const forMs = chance.pick([0, 200, 1_000, 3_000]);
		tell({ type: "pause-elections", node, forMs });
		ask(member, (service, confirm) => service.pauseElections({ forMs, confirm, dryRun }));
	}

	function ask({ server }: Member, call: Ask): void {
		server?.life.enter(() => {
			call(server.service, null).catch((error: unknown) => {
				if (!(error instanceof Error && "code" in error)) return onOutrage(error);
				const sentence = sentenceIn(error.message);
				if (sentence === null || !chance.happens(0.5)) return;
				call(server.service, sentence).catch((again: unknown) => {
					if (!(again instanceof Error && "code" in again)) onOutrage(again);
				});
			});
		});
	}

	if (everyMs !== null) arm(everyMs);

	/** Whoever leads takes no writes, but can be asked for this. */
	function permit(members: readonly Member[], isPermitted: () => boolean): void {
		const again = (): void => void scheduler.after(permitAgainMs, () => permit(members, isPermitted));
		if (isPermitted()) return again();
		const { core, server, id: node } = chance.pick(members);
		if (server === null || core === null) return again();
		const isMeant = (id: NodeId): boolean => members.some((member) => member.id === id);
		// A witness never leads, and naming it would refuse the others too (seed 52287731).
		const changes = core.configuration.members
			.filter(({ id, witness }) => isMeant(id) && witness !== true)
			.map(({ id }) => ({ change: "priority", id, priority: "normal" }) as const);
		if (changes.length === 0) return again();
		tell({ type: "change-members", node, what: "all may lead", force: false });
		server.life.enter(() => {
			server.service
				.changeMembers({ changes, confirm: null, dryRun: false })
				.then(again, (error: unknown) => {
					if (!(error instanceof Error && "code" in error)) return onOutrage(error);
					again();
				});
		});
	}

	return {
		permit,
		stop() {
			stopped = true;
		},
	};
}
