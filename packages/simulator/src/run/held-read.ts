/**
 * A leader asks its followers whether it still leads, and sleeps before it hears them: their answers stay on the
 * way. Meanwhile another one is elected and acknowledges writes. Then clients come back to the sleeper, which wakes up
 * with their requests, and after them, with the old answers, before any news of the other leader: nothing that it is
 * asked now may be answered from what it knew (etcd 20418, rqlite 8.32).
 */
import type { Member } from "../cluster/member.ts";
import type { CutMode } from "../world/lane.ts";
import { isolation } from "../world/partitions.ts";
import type { Stage } from "./plot-stage.ts";

export function heldRead(stage: Stage, old: Member, done: () => void): void {
	const { cluster, chance, tell, ids, between, later, when } = stage;
	const { members, network } = cluster;
	const term = old.core?.term ?? 0;
	tell({ type: "plot", plot: "held read", leader: old.id, companions: "" });
	when(asksForOthers, 1, () => {
		network.cut(isolation(ids, old.id, "in"), "hold");
		old.keepClientsOut(true);
		old.pause("suspended");
		network.cut(isolation(ids, old.id, "out"), chance.pick<CutMode>(["hold", "drop"]));
		when(anotherLeads, 6, () => later(between(0.1, 1), comeBack));
	});

	/** The leader asks on behalf of a follower: its own questions are one after the other. */
	function asksForOthers(): boolean {
		if ((old.core?.pendingReads ?? 0) === 0) return false;
		return members.some(
			({ core, id }) =>
				id !== old.id && core?.leader === old.id && core.term === term && core.pendingReads > 0,
		);
	}

	function anotherLeads(): boolean {
		const now = stage.leader();
		return now !== null && now !== old && (now.core?.term ?? 0) > term;
	}

	function comeBack(): void {
		old.keepClientsOut(false);
		later(between(0.1, 0.5), () => {
			old.resume();
			later(between(0, 0.3), () => {
				network.mend(isolation(ids, old.id));
				done();
			});
		});
	}
}
