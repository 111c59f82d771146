/** A small seeded generator (mulberry32): the core's only chance, so that a run can be replayed. */

/** A number in 0 … 1, 1 excluded. */
export type RandomSource = () => number;

export function createRandomSource(seed: number): RandomSource {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
	};
}
