import { expect, test } from "vitest";
import type { Member } from "../cluster/member.ts";
import { createChance } from "../engine/chance.ts";
import type { Caller } from "./caller.ts";
import type { LoadSettings } from "./settings.ts";
import { createTries, type UnderKey } from "./tries.ts";

const home = { id: "n1" } as Member;
const members = [home, { id: "n2" } as Member, { id: "n3" } as Member];

/** The attempts of some hundred requests, each of which hears all with its n-th. */
async function attemptsOf(idempotencyKey: string | null, heardWith: number, mayRepeat?: boolean) {
	const { underKey } = createTries({
		id: "c1",
		members,
		caller: { home, wait: async () => {} } as Partial<Caller> as Caller,
		chance: createChance(7),
		tell() {},
		settings: { attempts: 4, thinkMs: 10 } as LoadSettings,
		isStopped: () => false,
	});
	const numbers: number[] = [];
	for (let request = 0; request < 300; request++) {
		let last = 0;
		const sent: UnderKey = {
			idempotencyKey,
			async once({ member, attempt }) {
				if (attempt === 1) expect(member).toBe(home);
				expect(attempt).toBe(++last);
				return attempt >= heardWith;
			},
			...(mayRepeat === undefined ? {} : { mayRepeat }),
		};
		await underKey(sent);
		numbers.push(last);
	}
	return [...new Set(numbers)].toSorted((one, other) => one - other);
}

test("with a key it is sent until all is heard, and sometimes again, but not too often; without a key once", async () => {
	expect(await attemptsOf(null, 3)).toEqual([1]);
	expect(await attemptsOf("k", 3)).toEqual([3, 4]);
	expect(await attemptsOf("k", 9)).toEqual([4]);
});

test("what may not be repeated is not sent again once all is heard", async () => {
	expect((await attemptsOf("k", 1)).length).toBeGreaterThan(1);
	expect(await attemptsOf("k", 1, false)).toEqual([1]);
	expect(await attemptsOf("k", 2, false)).toEqual([2]);
});
