/** Cuts a list down to a smaller one that still fails, by leaving out parts: halves first, single items last. */

export function shrink<T>(
	items: readonly T[],
	fails: (items: readonly T[]) => boolean,
	stop: () => boolean,
): T[] {
	let left = [...items];
	let size = Math.ceil(left.length / 2);
	while (size >= 1 && !stop()) {
		let smaller = false;
		// From the end: what comes late is seldom what the failure needs, and often what needs something earlier.
		for (let start = left.length - size; start > -size && !stop(); start -= size) {
			const from = Math.max(0, start);
			const candidate = [...left.slice(0, from), ...left.slice(start + size)];
			if (candidate.length === left.length || !fails(candidate)) continue;
			left = candidate;
			smaller = true;
		}
		if (size === 1 && !smaller) break;
		size =
			smaller && size > 1 ? Math.min(size, Math.ceil(left.length / 2)) : Math.max(1, Math.floor(size / 2));
	}
	return left;
}
