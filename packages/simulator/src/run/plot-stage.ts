/** What every plot needs: who leads, time in election timeouts, and waiting until something is so. */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import { onlyLooked } from "../engine/scheduler.ts";
import type { Connection } from "../load/connection.ts";
import type { OperationKind } from "../load/settings.ts";
import type { Tell } from "../trace/event.ts";

export interface PlotOptions {
	readonly cluster: Cluster;
	readonly chance: Chance;
	readonly tell: Tell;
	readonly electionTimeoutMs: number;
	/** Does nothing when the safety phase is over. */
	readonly later: (delayMs: number, work: () => unknown) => void;
	readonly transfer: (from: Member, to: NodeId) => void;
	/** Somebody comes to a member and asks for something, also where clients are kept out. */
	readonly visit: (member: Member, kind: OperationKind, beforeCommit?: () => void) => void;
	/** Its disk has no room for the log during this time; its database finds some. */
	readonly fill: (member: Member, lastsMs: number) => void;
	/** Its disk is gone, and an empty one in its place. False: that may not be. */
	readonly wipe: (member: Member) => boolean;
	/** As a client does. */
	readonly connect: (member: Member) => Connection;
}

export interface Stage extends PlotOptions {
	readonly ids: readonly NodeId[];
	/** So many election timeouts, in milliseconds. */
	readonly between: (low: number, high: number) => number;
	/** Of the latest term, established and awake. */
	leader(): Member | null;
	/** Looks at every moment, for not long: `then` follows at once when it is so, or in the end. */
	readonly soon: (holds: () => boolean, then: () => void) => void;
	/** Looks again and again: `then` follows when it is so, and in any case after so many election timeouts. */
	readonly when: (holds: () => boolean, timeouts: number, then: () => void) => void;
	/** Again and again: a leader that has just been elected has nothing to hand over yet. */
	bringBack(to: Member, tries: number): void;
}

const looksInTimeout = 40;
const momentMs = 0.25;
const moments = 200;

export function createStage(options: PlotOptions): Stage {
	const { cluster, chance, electionTimeoutMs, later, transfer } = options;

	function leader(): Member | null {
		const leaders = cluster.members.filter(({ core, paused }) => core?.established === true && !paused);
		return leaders.sort((one, other) => (other.core?.term ?? 0) - (one.core?.term ?? 0))[0] ?? null;
	}

	function look(everyMs: number, holds: () => boolean, looks: number, then: () => void): void {
		later(everyMs, () => {
			if (looks <= 0 || holds()) return then();
			look(everyMs, holds, looks - 1, then);
			return onlyLooked;
		});
	}

	const stage: Stage = {
		...options,
		get ids() {
			return cluster.members.map(({ id }) => id);
		},
		between: (low, high) => chance.between(low, high) * electionTimeoutMs,
		leader,
		soon: (holds, then) => look(momentMs, holds, moments, then),
		when: (holds, timeouts, then) =>
			look(electionTimeoutMs / looksInTimeout, holds, timeouts * looksInTimeout, then),
		bringBack(to, tries) {
			later(stage.between(0.1, 1), () => {
				const now = leader();
				if (now === to || tries === 0) return;
				if (now !== null) transfer(now, to.id);
				stage.bringBack(to, tries - 1);
			});
		},
	};
	return stage;
}
