/**
 * What a bare majority has acknowledged, one of it loses with its disk, and comes back empty under its old name while
 * the leader is cut off and those that had heard nothing are there again. If anybody counts the empty disk, they are a
 * majority without what was acknowledged (bugs 14 and 45 of other systems).
 */
import type { Member } from "../cluster/member.ts";
import type { CutMode } from "../world/lane.ts";
import { isolation, split } from "../world/partitions.ts";
import type { Stage } from "./plot-stage.ts";

export function lostDisk(stage: Stage, old: Member): void {
	const { cluster, chance, tell, ids, between, later } = stage;
	const { members, network } = cluster;
	const others = chance.shuffle(members.filter((member) => member !== old));
	const companions = others.slice(0, Math.floor(members.length / 2));
	const [lost] = companions;
	if (lost === undefined || members.length < 3) return;
	const group = new Set([old, ...companions].map(({ id }) => id));
	const names = companions.map(({ id }) => id).join(" ");
	tell({ type: "plot", plot: "lost disk", leader: old.id, companions: names });
	const ways = split(ids, (node) => (group.has(node) ? 0 : 1));
	network.cut(ways, chance.pick<CutMode>(["reset", "drop"]));
	later(between(0.2, 2), () => {
		const alone = isolation(ids, old.id);
		network.cut(alone, "reset");
		const isLost = stage.wipe(lost);
		network.mend(ways.filter(([from, to]) => from !== old.id && to !== old.id));
		if (isLost) lost.start();
		later(between(3, 8), () => network.mend(isolation(ids, old.id)));
	});
}
