/** The order of the chain by itself: where a follower may stand, and for how long a broken link keeps it from there. */
import { expect, test } from "vitest";
import type { Chain } from "./chain.ts";
import { breakLink, createChain, join, leave, predecessorOf } from "./chain.ts";
import type { MonotonicTime, NodeId } from "./types.ts";

function chainOf(...order: NodeId[]): Chain {
	return { ...createChain(), order };
}

/** For how long the leader does not send to a, after each break at one of these times. */
function breaksAt(...times: MonotonicTime[]): number[] {
	const chain = createChain();
	return times.map((now) => {
		breakLink(chain, "leader", "a", now);
		const isUsed = (at: MonotonicTime): boolean => join({ ...chain }, "leader", "a", at);
		let forMs = 0;
		while (forMs < 200_000 && !isUsed(now + forMs)) forMs += 500;
		expect(isUsed(now + forMs - 1)).toBe(false);
		return forMs;
	});
}

test("whoever joins an order of nobody is the first, and then the last", () => {
	const chain = createChain();
	expect(chain.order).toEqual([]);
	for (const node of ["a", "b", "c"]) expect(join(chain, "leader", node, 0)).toBe(true);
	expect(chain.order).toEqual(["a", "b", "c"]);
	expect(["a", "b", "c", "d"].map((node) => predecessorOf(chain, node))).toEqual([null, "a", "b", null]);
	leave(chain, "b");
	leave(chain, "d");
	expect(chain.order).toEqual(["a", "c"]);
});

test.each([
	["the tail does not reach it", ["b x"], ["a", "x", "b"]],
	["nor it the tail", ["b x", "x b"], ["x", "a", "b"]],
	["no relay reaches it", ["b x", "a x"], ["x", "a", "b"]],
	["only what the leader sends does not", ["leader x"], ["a", "b", "x"]],
	["it reaches nobody", ["x a", "x b"], ["a", "b", "x"]],
	["it reaches nobody, nor the tail it", ["x a", "x b", "b x"], null],
	["nobody reaches it", ["leader x", "a x", "b x"], null],
])("it stands as near to the end as it can where %s", (_what, broken, expected) => {
	const chain = chainOf("a", "b");
	for (const link of broken) {
		const [from = "", to = ""] = link.split(" ");
		breakLink(chain, from, to, 0);
	}
	expect(join(chain, "leader", "x", 0)).toBe(expected !== null);
	expect(chain.order).toEqual(expected ?? ["a", "b"]);
});

test("alone it is sent to by the leader or not at all", () => {
	const chain = createChain();
	breakLink(chain, "leader", "a", 0);
	expect([join(chain, "leader", "a", 999), chain.order]).toEqual([false, []]);
	expect([join(chain, "leader", "a", 1_000), chain.order]).toEqual([true, ["a"]]);
});

test("a link that breaks again is left alone for twice as long, at most for a minute", () => {
	const times: MonotonicTime[] = [];
	const expected = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
	let now = 0;
	for (const forMs of expected) {
		times.push(now);
		now += forMs;
	}
	expect(breaksAt(...times)).toEqual(expected);
});

test("one that was whole for more than a minute begins anew", () => {
	expect(breaksAt(0, 1_000 + 60_000)).toEqual([1_000, 2_000]);
	expect(breaksAt(0, 1_000 + 60_001)).toEqual([1_000, 1_000]);
});
