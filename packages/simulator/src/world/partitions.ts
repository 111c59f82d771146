/** Shapes of a partition, as the ways that are cut: pure, so that a test can count them. */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { Chance } from "../engine/chance.ts";

/** From one node to another; the way back is a way of its own. */
export type Way = readonly [from: NodeId, to: NodeId];

export const partitionShapes = ["isolate", "deaf", "mute", "split", "bridge", "one-way", "ring"] as const;
export type PartitionShape = (typeof partitionShapes)[number];

function waysWhere(nodes: readonly NodeId[], isCut: (from: NodeId, to: NodeId) => boolean): Way[] {
	return nodes.flatMap((from) =>
		nodes.filter((to) => to !== from && isCut(from, to)).map((to): Way => [from, to]),
	);
}

/** Nothing goes to or from one node; or it only hears nothing ("in"), or is not heard ("out"). */
export function isolation(
	nodes: readonly NodeId[],
	alone: NodeId,
	direction: "both" | "in" | "out" = "both",
): Way[] {
	return waysWhere(
		nodes,
		(from, to) => (to === alone && direction !== "out") || (from === alone && direction !== "in"),
	);
}

/** Nothing goes between groups. */
export function split(nodes: readonly NodeId[], groupOf: (node: NodeId) => number): Way[] {
	return waysWhere(nodes, (from, to) => groupOf(from) !== groupOf(to));
}

/** Two groups that do not see each other, and nodes that see both. */
export function bridge(
	nodes: readonly NodeId[],
	left: ReadonlySet<NodeId>,
	right: ReadonlySet<NodeId>,
): Way[] {
	return waysWhere(
		nodes,
		(from, to) => (left.has(from) && right.has(to)) || (right.has(from) && left.has(to)),
	);
}

/** Each node sees only its two neighbours: nobody sees a majority of five, everybody is connected. */
export function ring(nodes: readonly NodeId[]): Way[] {
	return waysWhere(nodes, (from, to) => {
		const distance = Math.abs(nodes.indexOf(from) - nodes.indexOf(to));
		return distance !== 1 && distance !== nodes.length - 1;
	});
}

export function drawPartition(
	chance: Chance,
	nodes: readonly NodeId[],
): { readonly shape: PartitionShape; readonly ways: readonly Way[] } {
	const shape = chance.pick(partitionShapes);
	const [first, ...others] = chance.shuffle(nodes);
	if (first === undefined || others.length === 0) return { shape, ways: [] };
	switch (shape) {
		case "isolate":
			return { shape, ways: isolation(nodes, first) };
		case "deaf":
			return { shape, ways: isolation(nodes, first, "in") };
		case "mute":
			return { shape, ways: isolation(nodes, first, "out") };
		case "split": {
			const left = new Set([first, ...others.slice(0, chance.below(others.length))]);
			return { shape, ways: split(nodes, (node) => (left.has(node) ? 0 : 1)) };
		}
		case "bridge": {
			const half = Math.ceil(others.length / 2);
			return { shape, ways: bridge(nodes, new Set(others.slice(0, half)), new Set(others.slice(half))) };
		}
		case "one-way": {
			const cut = waysWhere(nodes, () => chance.happens(0.3));
			return { shape, ways: cut.length > 0 ? cut : [[first, chance.pick(others)]] };
		}
		case "ring":
			return { shape, ways: ring(chance.shuffle(nodes)) };
		default: {
			const never: never = shape;
			throw new Error(String(never));
		}
	}
}
