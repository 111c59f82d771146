/** Which ways each shape of a partition cuts. */
import { expect, test } from "vitest";
import { createChance } from "../engine/chance.ts";
import { bridge, drawPartition, isolation, partitionShapes, ring, split, type Way } from "./partitions.ts";

const nodes = ["a", "b", "c", "d", "e"];
const text = (ways: readonly Way[]) => ways.map((way) => way.join(">")).toSorted();

test("isolation cuts one node off, in both directions or one", () => {
	expect(text(isolation(["a", "b", "c"], "a"))).toEqual(["a>b", "a>c", "b>a", "c>a"]);
	expect(text(isolation(["a", "b", "c"], "a", "in"))).toEqual(["b>a", "c>a"]);
	expect(text(isolation(["a", "b", "c"], "a", "out"))).toEqual(["a>b", "a>c"]);
});

test("a split cuts between groups, a bridge leaves one node that sees both, a ring only neighbours", () => {
	expect(split(nodes, (node) => (node < "c" ? 0 : 1)).length).toBe(2 * 2 * 3);
	const ways = text(bridge(nodes, new Set(["a", "b"]), new Set(["d", "e"])));
	expect(ways.length).toBe(8);
	expect(ways.some((way) => way.includes("c"))).toBe(false);
	expect(text(ring(nodes)).filter((way) => way.startsWith("a"))).toEqual(["a>c", "a>d"]);
});

test("every shape is drawn; each cuts something, none everything", () => {
	const chance = createChance(1);
	const shapes = new Set<string>();
	for (let draw = 0; draw < 300; draw++) {
		const { shape, ways } = drawPartition(chance, nodes);
		shapes.add(shape);
		expect(ways.length).toBeGreaterThan(0);
		expect(ways.length).toBeLessThan(20);
		expect(new Set(text(ways)).size).toBe(ways.length);
	}
	expect(shapes.size).toBe(partitionShapes.length);
	expect(drawPartition(chance, ["a"]).ways).toEqual([]);
});
