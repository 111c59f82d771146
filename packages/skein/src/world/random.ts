/** Random: the only source of chance, so that a simulation can replay it from a seed. */

export interface Random {
	/** A whole number in 0 … bound - 1. */
	below(bound: number): number;
	/** Unpredictable bytes, for ids and incarnations. */
	bytes(length: number): Uint8Array;
}
