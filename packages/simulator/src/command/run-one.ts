// What a thread is told to do, and what it says about it: plain data.
import type { Profile } from "../machine/store.ts";
import type { Coverage } from "../run/coverage.ts";
import { type Escapes, type Failure, type RunResult, simulate } from "../run/simulate.ts";

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

export async function runOne(order: Order, profile: Profile, escapes?: Escapes): Promise<Outcome> {
	const begunAt = performance.now();
	let result = await withoutStacks(() => play(order, profile, escapes));
	// What ended a member or the run is worth its stack, and comes again: the same seed is the same run.
	if (result.failure?.kind === "crash") {
		const again = await play(order, profile, escapes);
		// What comes from outside of the world need not.
		if (again.failure !== null) result = again;
	}
	const { failure, hash, coverage, asked } = result;
	return { order, failure, hash, coverage, asked, tookMs: performance.now() - begunAt };
}

function play({ seed, seconds }: Order, profile: Profile, escapes?: Escapes): Promise<RunResult> {
	return simulate(seed, profile, { seconds }, escapes === undefined ? {} : { escapes });
}

/** Thousands of errors are what clients are told, and most of what an error costs is its stack. */
async function withoutStacks<T>(work: () => Promise<T>): Promise<T> {
	const before = Error.stackTraceLimit;
	Error.stackTraceLimit = 0;
	try {
		return await work();
	} finally {
		Error.stackTraceLimit = before;
	}
}
