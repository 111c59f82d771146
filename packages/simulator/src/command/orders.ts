/** Which seeds are run, one after the other: those that failed once, then fresh ones until a limit is reached. */
import type { Order } from "./run-one.ts";

export interface OrdersOptions {
	readonly known: readonly Order[];
	/** The first fresh one, then those after it. */
	readonly first: Order;
	/** How many fresh ones, at most. */
	readonly count: number;
	/** Of fresh ones: the time begins with the first of them. */
	readonly limitMs: number;
	readonly now: () => number;
}

/** Null: there are no more. */
export function createOrders({ known, first, count, limitMs, now }: OrdersOptions): () => Order | null {
	let next = 0;
	let endAt: number | null = null;
	return () => {
		const number = next++;
		const old = known[number];
		if (old !== undefined) return old;
		endAt ??= now() + limitMs;
		const fresh = number - known.length;
		if (fresh >= count || now() >= endAt) return null;
		return { ...first, seed: first.seed + fresh };
	};
}
