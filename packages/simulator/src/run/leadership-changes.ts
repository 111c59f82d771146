/**
 * An operator who takes leadership away now and then, and pauses elections or lets them go on, on whatever member. What
 * it sets ends by itself long before the healed must serve.
 */
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
}

export interface LeadershipChangesOptions {
	readonly cluster: Cluster;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly tell: Tell;
	/** On average; null: never. */
	readonly everyMs: number | null;
	readonly onOutrage: (error: unknown) => void;
}

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

	return {
		stop() {
			stopped = true;
		},
	};
}
