/**
 * A follower is cut off while it holds an in-sync lease, and another leader, which granted it none, is put in office at
 * once: writes come to the new one, local reads to the one that was left behind, which calls itself in-sync for as long
 * as its lease lasts. So do linearizable reads, which a member of a chain answers by itself for as long as it was lent a lease.
 */
import { isMember } from "../../../skein/src/consensus/quorum.ts";
import type { Member } from "../cluster/member.ts";
import { isolation } from "../world/partitions.ts";
import type { Stage } from "./plot-stage.ts";

const visits = 12;

export function leftBehind(stage: Stage, old: Member): void {
	const { cluster, chance, tell, ids, between, later, when } = stage;
	const { members, network } = cluster;
	const configuration = old.core?.configuration;
	if (configuration === undefined) return;
	const others = chance.shuffle(members.filter(({ id }) => id !== old.id && isMember(configuration, id)));
	const next = others.find(({ id }) => configuration.voters.includes(id));
	// Who only learns may hold a lease too.
	const behind = others.find((one) => one !== next);
	if (next === undefined || behind === undefined) return;
	tell({ type: "plot", plot: "left behind", leader: old.id, companions: behind.id });
	const ways = isolation(ids, behind.id);
	network.cut(ways, chance.pick(["hold", "drop"]));
	stage.transfer(old, next.id);
	when(
		() => next.core?.established === true,
		3,
		() => visit(next, behind),
	);

	function visit(leading: Member, left: Member): void {
		for (let number = 0; number < visits; number++) {
			later(between(0, 1), () => stage.visit(leading, "write"));
			// In a chain it may have answered linearizable reads by itself.
			later(between(0, 1), () => stage.visit(left, chance.pick(["eventual-read", "read"])));
		}
		later(between(0.5, 3), () => network.mend(ways));
	}
}
