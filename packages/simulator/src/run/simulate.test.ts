import { expect, test } from "vitest";
import { registersProfile } from "../machine/store.ts";
import { type RunResult, simulate } from "./simulate.ts";

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
