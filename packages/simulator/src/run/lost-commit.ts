/**
 * Somebody commits a transaction through a follower, and no answer comes back: the leader has the COMMIT, its answers
 * stay on the way, and then the connection breaks. Whoever then says that it did not happen lies, perhaps.
 */
import type { Member } from "../cluster/member.ts";
import type { CutMode } from "../world/lane.ts";
import { isolation, type Way } from "../world/partitions.ts";
import type { Stage } from "./plot-stage.ts";

export function lostCommit(stage: Stage, leader: Member): void {
	const { cluster, chance, tell, ids, later } = stage;
	const { members, network } = cluster;
	const follower = chance.pick(members.filter((member) => member !== leader));
	tell({ type: "plot", plot: "lost commit", leader: leader.id, companions: follower.id });
	const answers: readonly Way[] = [[leader.id, follower.id]];
	const both: readonly Way[] = [...answers, [follower.id, leader.id]];
	stage.visit(follower, "interactive", () => {
		network.cut(answers, chance.pick<CutMode>(["hold", "drop"]));
		// For the leader it takes that long to commit, or it does not.
		later(chance.pick([3, 10, 30]), () => {
			// Perhaps the others go on without it: then another one leads, with what it committed.
			const ways = chance.happens(0.3) ? isolation(ids, leader.id) : both;
			network.cut(ways, "reset");
			if (chance.happens(0.2)) leader.crash("kill");
			later(stage.between(0.1, 3), () => network.mend(ways));
		});
	});
}
