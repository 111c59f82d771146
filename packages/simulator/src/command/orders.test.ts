import { expect, test } from "vitest";
import { createOrders } from "./orders.ts";

const order = (seed: number) => ({ seed, profile: "registers", seconds: 20 }) as const;

test("the time counts for fresh seeds: it begins when those that failed once are done", () => {
	let now = 0;
	const next = createOrders({
		known: [order(7), order(3)],
		first: order(100),
		count: Number.POSITIVE_INFINITY,
		limitMs: 1_000,
		now: () => now,
	});
	expect(next()?.seed).toBe(7);
	now = 5_000;
	expect(next()?.seed).toBe(3);
	now = 9_000;
	expect(next()?.seed).toBe(100);
	now = 9_999;
	expect(next()?.seed).toBe(101);
	now = 10_000;
	expect(next()).toBe(null);
});

test("no more fresh seeds than asked for, behind all that failed once", () => {
	const limits = { count: 2, limitMs: Number.POSITIVE_INFINITY, now: () => 0 };
	const next = createOrders({ known: [order(7)], first: order(100), ...limits });
	expect([next(), next(), next(), next()].map((one) => one?.seed)).toEqual([7, 100, 101, undefined]);
});
