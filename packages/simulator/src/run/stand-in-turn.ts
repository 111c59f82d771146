/**
 * The operator without whom nobody ever leads where the elector is `manual`: of those that know of no leader one after
 * the other is told to stand, on and on. Whose log is behind, or whom no majority hears, does so in vain; so does who is
 * cut off from a leader. (One that led and is paused looks as if it led.)
 */
import type { Cluster } from "../cluster/cluster.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";

export interface StandInTurnOptions {
	readonly cluster: Cluster;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly everyMs: number;
	readonly onOutrage: (error: unknown) => void;
}

export function standInTurn(options: StandInTurnOptions): void {
	const { cluster, scheduler, chance, everyMs, onOutrage } = options;

	function look(): void {
		scheduler.after(everyMs, look);
		// Somebody may have chosen another elector meanwhile.
		const waiting = cluster.members.filter(({ core }) => core?.elector === "manual" && core.leader === null);
		if (waiting.length === 0) return;
		const { server } = chance.pick(waiting);
		server?.life.enter(() => {
			server.service.stand({ node: null, dryRun: false }).catch((error: unknown) => {
				if (!(error instanceof Error && "code" in error)) onOutrage(error);
			});
		});
	}

	scheduler.after(everyMs, look);
}
