import { expect, test } from "vitest";
import { registersProfile } from "../machine/store.ts";
import { type Escapes, type RunResult, simulate } from "./simulate.ts";

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test("the same seed gives the same run, byte for byte", async () => {
	const hashes = new Set<string>();
	for (let seed = 1; seed <= 8; seed++) {
		const one = await simulate(seed, registersProfile(settle), { seconds: 4 });
		const again = await simulate(seed, registersProfile(settle), { seconds: 4 });
		expect(one.failure).toBe(null);
		expect(again.hash).toBe(one.hash);
		expect(again.coverage).toEqual(one.coverage);
		hashes.add(one.hash);
	}
	expect(hashes.size).toBe(8);
});

test("who listens hears what messages say, and at the end what was seen and what is held", async () => {
	const kinds = new Set<unknown>();
	const ends = new Set<string>();
	// Some are too bad for anybody to have caught up at the end.
	for (const seed of [1, 2, 3]) {
		await simulate(
			seed,
			registersProfile(settle),
			{ seconds: 4 },
			{
				listener(event) {
					if (event.type === "message") kinds.add((event as Readonly<Record<string, unknown>>)["kind"]);
					if (event.type === "phase") ends.clear();
					ends.add(event.type);
				},
			},
		);
		expect(ends).toContain("history");
	}
	expect(ends).toContain("final-digest");
	expect(kinds).toContain("append-request");
	expect(kinds).not.toContain(undefined);
});

test("a run that goes wrong says what, and when", async () => {
	const profile = registersProfile(settle);
	const forgetful: typeof profile = {
		...profile,
		createStore(chance, settings) {
			const store = profile.createStore(chance, settings);
			// Says something else of itself each time.
			let looks = 0;
			return { ...store, digest: () => `${store.digest()}${looks++ > 4 ? looks : ""}` };
		},
	};
	let failure: RunResult["failure"] = null;
	// Some runs are too calm for two members to be looked at often enough.
	for (let seed = 1; seed <= 10 && failure === null; seed++) {
		({ failure } = await simulate(seed, forgetful, { seconds: 4 }));
	}
	expect(failure?.kind).toBe("safety");
	expect(failure?.property).toBe("equal applied index, equal state");
	expect(failure?.events.at(-1)?.type).toBe("broken");
});

test("a snapshot that says more than its database was asked to hold is noticed when it is made", async () => {
	const profile = registersProfile(settle);
	const boastful: typeof profile = {
		...profile,
		createStore(chance, settings) {
			const store = profile.createStore(chance, settings);
			return {
				...store,
				open(options) {
					const database = store.open(options);
					return {
						...database,
						async createSnapshot() {
							const snapshot = await database.createSnapshot();
							const { index, term } = snapshot.applied;
							return { ...snapshot, applied: { index: index + 1, term } };
						},
					};
				},
			};
		},
	};
	let failure: RunResult["failure"] = null;
	// Not every run makes one, and in some the member that takes it is noticed first.
	for (let seed = 1; seed <= 20 && failure?.property !== "orderings"; seed++) {
		({ failure } = await simulate(seed, boastful, { seconds: 4 }));
	}
	expect(failure?.property).toBe("orderings");
	expect(failure?.what).toMatch(/made a snapshot of/);
});

test("an error that nobody handles ends the run that is under way, or else is heard when it has ended", async () => {
	const profile = registersProfile(settle);
	for (const when of ["under way", "at the end"]) {
		let escape: (error: unknown) => void = () => {};
		let settles = 0;
		const throwing: typeof profile = {
			...profile,
			settle() {
				if (++settles === 500 && when === "under way") escape(new Error("nobody handles this"));
				return settle();
			},
		};
		const escapes: Escapes = {
			hear(onEscape) {
				escape = onEscape;
			},
			async caughtUp() {
				escape(new Error("nobody handles this"));
			},
		};
		const { failure, coverage } = await simulate(1, throwing, { seconds: 4 }, { escapes });
		expect(failure?.kind).toBe("crash");
		expect(failure?.what).toMatch(/nobody handles this/);
		expect(failure?.events.length).toBeGreaterThan(100);
		if (when === "under way") expect(coverage.events).toBeLessThanOrEqual(500);
	}
});

test("where not all first members have taken part all are healed, and that is counted", async () => {
	const name = "not founded at the liveness phase";
	for (const [seconds, times] of [
		[0.05, 1],
		[4, undefined],
	] as const) {
		const { failure, coverage } = await simulate(2, registersProfile(settle), { seconds });
		expect(failure).toBe(null);
		expect(coverage.happened.get(name)).toBe(times);
	}
});

test("what sets itself off again without waiting is a failure of liveness", async () => {
	const profile = registersProfile(settle);
	const spinning: typeof profile = {
		...profile,
		settle: () => Promise.resolve(),
		createStore(chance, settings) {
			const store = profile.createStore(chance, settings);
			return {
				...store,
				open(options) {
					const again = (): void => {
						options.after(0, again);
					};
					again();
					return store.open(options);
				},
			};
		},
	};
	const { failure } = await simulate(1, spinning, { seconds: 4 });
	expect(failure?.kind).toBe("liveness");
	expect(failure?.what).toMatch(/without waiting/);
});
