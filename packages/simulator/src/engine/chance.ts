/**
 * All chance of a simulated world, from one seed. Each part of the world draws from a fork of its own,
 * so that one draw more in one part leaves the others as they were: a failing run stays close to
 * itself while it is being made smaller.
 *
 * xoshiro128** (Blackman and Vigna, https://prng.di.unimi.it/), seeded by splitmix32.
 */
export interface Chance {
	/** In 0 … 1, not 1. */
	next(): number;
	/** A whole number in 0 … bound - 1. */
	below(bound: number): number;
	/** In low … high. */
	between(low: number, high: number): number;
	/** A whole number in low … high, both included. */
	integer(low: number, high: number): number;
	happens(probability: number): boolean;
	/** Exponentially distributed around `mean`: mostly small, now and then long. */
	exponential(mean: number): number;
	pick<T>(list: readonly T[]): T;
	shuffle<T>(list: readonly T[]): T[];
	bytes(length: number): Uint8Array;
	/** A generator of its own; the same name from the same seed gives the same. Draws nothing from this one. */
	fork(name: string): Chance;
}

export function createChance(seed: number): Chance {
	let mix = seed >>> 0;
	const splitmix = (): number => {
		mix = (mix + 0x9e3779b9) | 0;
		let z = mix ^ (mix >>> 16);
		z = Math.imul(z, 0x21f0aaad);
		z ^= z >>> 15;
		z = Math.imul(z, 0x735a2d97);
		return z ^ (z >>> 15);
	};
	let a = splitmix();
	let b = splitmix();
	let c = splitmix();
	let d = splitmix();

	function word(): number {
		const result = Math.imul(rotate(Math.imul(b, 5), 7), 9);
		const shifted = b << 9;
		c ^= a;
		d ^= b;
		b ^= c;
		a ^= d;
		c ^= shifted;
		d = rotate(d, 11);
		return result >>> 0;
	}

	const next = (): number => word() / 4294967296;
	const below = (bound: number): number => Math.floor(next() * bound);

	return {
		next,
		below,
		between: (low, high) => low + next() * (high - low),
		integer: (low, high) => low + below(high - low + 1),
		happens: (probability) => next() < probability,
		exponential: (mean) => -Math.log(1 - next()) * mean,
		pick(list) {
			const chosen = list[below(list.length)];
			if (chosen === undefined) throw new RangeError("nothing to pick from");
			return chosen;
		},
		shuffle(list) {
			const shuffled = [...list];
			for (let place = shuffled.length - 1; place > 0; place--) {
				const other = below(place + 1);
				const moved = shuffled[place];
				const swapped = shuffled[other];
				if (moved === undefined || swapped === undefined) throw new RangeError("outside the list");
				shuffled[place] = swapped;
				shuffled[other] = moved;
			}
			return shuffled;
		},
		bytes: (length) => Uint8Array.from({ length }, () => word() & 0xff),
		fork: (name) => createChance(hashOf(`${seed}/${name}`)),
	};
}

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

/** FNV-1a. */
function hashOf(text: string): number {
	let hash = 0x811c9dc5;
	for (let place = 0; place < text.length; place++) {
		hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
	}
	return hash >>> 0;
}
