// What a thread is told to do, and what it says about it: plain data.
import type { Profile } from "../machine/store.ts";
import type { Coverage } from "../run/coverage.ts";
import { type Failure, simulate } from "../run/simulate.ts";

export type ProfileName = Profile["name"];

export interface Order {
	readonly seed: number;
	readonly profile: ProfileName;
	/** Simulated seconds with faults, at most. */
	readonly seconds: number;
}

export interface Outcome {
	readonly order: Order;
	readonly failure: Failure | null;
	readonly hash: string;
	readonly coverage: Coverage;
	readonly asked: ReadonlyMap<string, number>;
	readonly tookMs: number;
}

export async function runOne(order: Order, profile: Profile): Promise<Outcome> {
	const begunAt = performance.now();
	const result = await simulate(order.seed, profile, { seconds: order.seconds });
	const { failure, hash, coverage, asked } = result;
	return { order, failure, hash, coverage, asked, tookMs: performance.now() - begunAt };
}
