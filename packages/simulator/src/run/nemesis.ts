/**
 * Makes what goes wrong in the safety phase, and heals a majority for the liveness phase. What a fault
 * needs to be undone stays with it, so that what is not healed stays as broken as it is.
 */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type { Tell } from "../trace/event.ts";
import { type FaultKind, type FaultSettings, faultKinds } from "./faults.ts";

export interface Nemesis {
	/** From now on no fault begins; none that was made ends by itself. */
	stop(): void;
	/** These members are well, and connected with each other, for good. */
	heal(nodes: ReadonlySet<NodeId>): void;
}

export interface NemesisOptions {
	readonly cluster: Cluster;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly tell: Tell;
	readonly settings: FaultSettings;
	readonly onOutrage: (error: unknown) => void;
}

export function startNemesis(options: NemesisOptions): Nemesis {
	const { cluster, scheduler, chance, tell, settings, onOutrage } = options;
	const { members, network } = cluster;
	let stopped = false;
	/** Supervisors start what has ended, sooner or later. */
	const restartMs = chance.pick([50, 500, 3_000]);

	function later(delayMs: number, work: () => void): void {
		scheduler.after(delayMs, () => {
			if (!stopped) work();
		});
	}

	function arm(kind: FaultKind): void {
		const meanMs = settings.everyMs[kind];
		if (meanMs === Number.POSITIVE_INFINITY) return;
		later(chance.exponential(meanMs), () => {
			make(kind, chance.pick(members));
			arm(kind);
		});
	}

	const lasts = (): number => chance.exponential(settings.lastsMs);

	function make(kind: FaultKind, member: Member): void {
		const node = member.id;
		switch (kind) {
			case "kill":
			case "power":
				return member.crash(kind);
			case "crash-at-action":
				return member.crashAtAction(chance.integer(1, 30), chance.pick(["kill", "power"]));
			case "power-everywhere":
				for (const one of members) one.crash("power");
				return;
			case "stop":
				return member.stop();
			case "pause":
				member.pause(chance.pick(["stopped", "suspended"]));
				return later(lasts(), () => member.resume());
			case "isolate":
				tell({ type: "isolate", node });
				network.isolate(node, true);
				return later(lasts(), () => {
					tell({ type: "join", node });
					network.isolate(node, false);
				});
			case "clock-jump": {
				const byMs = chance.between(-1, 1) * chance.pick([100, 10_000, 10_000_000]);
				tell({ type: "clock-jump", node, byMs });
				member.clock?.jump(byMs);
				return;
			}
			case "slow-node": {
				const meanMs = chance.pick([2, 20, 100]);
				tell({ type: "slow", node, meanMs });
				const { clock } = member;
				clock?.setLateness(meanMs);
				return later(lasts(), () => clock?.setLateness(0));
			}
			case "transfer":
				return transfer(member);
			case "wipe": {
				// At most a minority may lose what it had.
				const lost = members.filter(({ state }) => state === "lost").length;
				if ((lost + 1) * 2 < members.length) member.wipe();
				return;
			}
			default: {
				const never: never = kind;
				throw new Error(String(never));
			}
		}
	}

	/** An operator hands leadership over, to somebody or anybody. */
	function transfer(member: Member): void {
		const to = chance.happens(0.5) ? null : chance.pick(members).id;
		const { process } = member;
		process?.life.enter(() => {
			tell({ type: "transfer", node: member.id, to });
			process.service.transfer(to).catch((error: unknown) => {
				if (!(error instanceof Error && "code" in error)) onOutrage(error);
			});
		});
	}

	/** Looks now and then who has ended, as a supervisor does. */
	function supervise(member: Member): void {
		later(chance.exponential(restartMs), () => {
			if (member.state === "down" || member.state === "failed" || member.state === "refused") member.start();
			supervise(member);
		});
	}

	for (const member of members) {
		later(chance.exponential(20), () => member.start());
		supervise(member);
	}
	for (const kind of faultKinds) arm(kind);

	return {
		stop() {
			stopped = true;
		},
		heal(nodes) {
			const healed = [...nodes].map((id) => cluster.member(id));
			for (const member of healed) {
				member.clock?.setLateness(0);
				network.isolate(member.id, false);
			}
			keepWell(healed);
		},
	};

	/** Until the end of the run: what was about to fail or to stop when it was healed is started again. */
	function keepWell(healed: readonly Member[]): void {
		for (const member of healed) {
			member.resume();
			member.crashAtAction(Number.POSITIVE_INFINITY, "kill");
			member.start();
		}
		scheduler.after(200, () => keepWell(healed));
	}
}
