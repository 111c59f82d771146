/** In a healed majority leadership can be handed over: asked of the leader again and again until it succeeds. */
import { isVoter, neverLeads } from "../../../skein/src/consensus/quorum.ts";
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { Member } from "../cluster/member.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type { Tell } from "../trace/event.ts";

export interface HandOver {
	/** It succeeded, or there is nobody to take over. */
	readonly done: boolean;
	/** Why it did not the last time, for people. */
	readonly failure: string;
	stop(): void;
}

export interface HandOverOptions {
	/** Those that are well. */
	readonly members: readonly Member[];
	readonly scheduler: Scheduler;
	readonly tell: Tell;
	readonly onOutrage: (error: unknown) => void;
}

const pauseMs = 500;

export function handOver({ members, scheduler, tell, onOutrage }: HandOverOptions): HandOver {
	let done = members.length < 2;
	let failure = "none of them leads";
	let stopped = false;

	function ask(leader: Member, to: NodeId, onEnd: () => void): void {
		tell({ type: "transfer", node: leader.id, to });
		leader.server?.life.enter(() => {
			leader.server?.service.transfer(to).then(
				() => {
					done = true;
				},
				(error: unknown) => {
					if (!(error instanceof Error && "code" in error)) return onOutrage(error);
					failure = error.message;
					onEnd();
				},
			);
		});
	}

	function goOn(): void {
		if (done || stopped) return;
		const leader = members.find(({ core }) => core?.established === true);
		const mayLead = (id: NodeId): boolean => {
			const configuration = leader?.core?.configuration;
			// Who was a voter when this phase began may be a learner by a change that came to its end meanwhile.
			return configuration !== undefined && isVoter(configuration, id) && !neverLeads(configuration, id);
		};
		const others = members.filter((member) => member !== leader && member.core !== null);
		const target = others.find(({ id }) => mayLead(id));
		if (leader !== undefined && others.length > 0 && target === undefined) done = true;
		const again = (): void => void scheduler.after(pauseMs, goOn);
		if (leader === undefined || target === undefined) again();
		else ask(leader, target.id, again);
	}

	goOn();
	return {
		get done() {
			return done;
		},
		get failure() {
			return failure;
		},
		stop() {
			stopped = true;
		},
	};
}
