/** Chance for random SQL: one seed, one sequence. */

export interface Chance {
	/** A whole number in 0 … bound - 1. */
	below(bound: number): number;
	happens(probability: number): boolean;
	pick<T>(list: readonly T[]): T;
	/** Each choice with its weight. */
	weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T;
	/** At least `atLeast` of them (if there are as many), in their order. */
	some<T>(list: readonly T[], atLeast: number): T[];
}

/** mulberry32: small, and good enough to wander through SQL. */
export function createChance(seed: number): Chance {
	let state = seed | 0;
	const next = (): number => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
	};
	const below = (bound: number): number => Math.floor(next() * bound);

	function pick<T>(list: readonly T[]): T {
		const chosen = list[below(list.length)];
		if (chosen === undefined) throw new RangeError("nothing to pick from");
		return chosen;
	}

	return {
		below,
		happens: (probability) => next() < probability,
		pick,
		weighted(choices) {
			let left = next() * choices.reduce((sum, [weight]) => sum + weight, 0);
			for (const [weight, choice] of choices) {
				left -= weight;
				if (left < 0) return choice;
			}
			throw new RangeError("nothing to pick from");
		},
		some(list, atLeast) {
			const wanted = Math.min(list.length, atLeast + below(Math.max(1, list.length - atLeast + 1)));
			const chosen = new Set<number>();
			while (chosen.size < wanted) chosen.add(below(list.length));
			return list.filter((_, place) => chosen.has(place));
		},
	};
}
