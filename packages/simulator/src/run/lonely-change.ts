/**
 * A leader that hears nobody any more is asked to change members: it accepts, since it does not know, and the change
 * counts for it at once. The others choose another leader, which is asked for another change from the same base. Then the
 * two meet (Redis-Raft 17; Ongaro's notice of 2015 on changes before an entry of the own term).
 */
import type { Member } from "../cluster/member.ts";
import { isolation } from "../world/partitions.ts";
import type { Operator } from "./operator.ts";
import type { Stage } from "./plot-stage.ts";

/** A leader dies as soon as it has begun a change: whoever leads next finds it in its log, or not, and goes on or not. */
export function halfChange(stage: Stage, operator: Operator, old: Member): void {
	const { chance, tell, later, between, cluster } = stage;
	tell({ type: "plot", plot: "half a change", leader: old.id, companions: "" });
	const before = old.core?.configurationIndex;
	operator.change(old);
	stage.soon(
		() => old.core?.configurationIndex !== before,
		() => {
			if (chance.happens(0.5)) return old.crash(chance.pick(["kill", "power"]));
			// Others may get it first, but not all.
			const ways = isolation(stage.ids, old.id);
			later(between(0, 0.1), () => cluster.network.cut(ways, "drop"));
			later(between(1, 6), () => cluster.network.mend(ways));
		},
	);
}

export function lonelyChange(stage: Stage, operator: Operator, old: Member): void {
	const { chance, tell, later, between, cluster } = stage;
	tell({ type: "plot", plot: "lonely change", leader: old.id, companions: "" });
	const ways = isolation(stage.ids, old.id);
	cluster.network.cut(ways, chance.pick(["reset", "hold", "drop"]));
	operator.change(old);
	stage.when(
		() => stage.leader() !== old && stage.leader() !== null,
		6,
		() => {
			operator.change(stage.leader());
			later(between(0, 3), () => cluster.network.mend(ways));
		},
	);
}
