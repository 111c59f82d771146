/** Whom the liveness phase heals: most often no more than must be, since then nobody can stand in for who is not well. */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Chance } from "../engine/chance.ts";
import type { Count } from "../trace/event.ts";
import type { Nemesis } from "./nemesis.ts";
import type { RunPlan } from "./swarm.ts";

export interface HealedOptions {
	readonly plan: Pick<RunPlan, "size" | "witnesses" | "faults">;
	readonly nemesis: Pick<Nemesis, "isFounded" | "mayStayAway" | "sound" | "voters">;
	readonly cluster: Pick<Cluster, "member">;
	readonly leader: NodeId | null;
	readonly count: Count;
}

export function drawHealed(draw: Chance, options: HealedOptions): ReadonlySet<NodeId> {
	const { plan, nemesis, leader } = options;
	const sound = draw.shuffle(nemesis.sound);
	if (!nemesis.isFounded) {
		options.count("not founded at the liveness phase");
		return new Set(sound);
	}
	if (plan.witnesses > 0) return drawWithData(draw, sound, options);
	if (plan.faults.spares > 0) return drawEnough(draw, sound, nemesis.voters());
	// Often without the leader.
	if (draw.happens(0.5)) sound.sort((one, other) => Number(one === leader) - Number(other === leader));
	const majority = Math.min(Math.floor(plan.size / 2) + 1, sound.length);
	return new Set(sound.slice(0, draw.happens(0.5) ? majority : draw.integer(majority, sound.length)));
}

/** A majority of all that may count; half of the time no more than that. */
function drawEnough(
	draw: Chance,
	sound: readonly NodeId[],
	all: ReturnType<Nemesis["voters"]>,
): ReadonlySet<NodeId> {
	const enough = new Set(sound);
	if (!isEnough(enough, all)) throw new Error(`the sound members are no majority of all that may count`);
	const most = draw.happens(0.5) ? sound.length : draw.below(sound.length);
	for (const node of sound.slice(0, most)) {
		enough.delete(node);
		if (!isEnough(enough, all)) enough.add(node);
	}
	return enough;
}

/** Whoever is away may be all that has what a witness has heard of: only who is down and lacks nothing to the others stays so. */
function drawWithData(
	draw: Chance,
	sound: readonly NodeId[],
	{ nemesis, cluster }: HealedOptions,
): ReadonlySet<NodeId> {
	const enough = new Set(sound);
	const all = nemesis.voters();
	for (const node of sound) {
		if (draw.happens(0.3)) continue;
		enough.delete(node);
		const isNeeded = !isEnough(enough, all);
		const mayBeAway = cluster.member(node).isWitness || nemesis.mayStayAway(node, enough);
		if (isNeeded || !mayBeAway) enough.add(node);
	}
	return enough;
}

function isEnough(nodes: ReadonlySet<NodeId>, all: ReturnType<Nemesis["voters"]>): boolean {
	return all.every((voters) => 2 * voters.filter((voter) => nodes.has(voter)).length > voters.length);
}
