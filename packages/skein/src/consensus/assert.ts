/** What must hold. A core that finds itself wrong stops, rather than break a promise. */

export function assert(holds: boolean, message: string): asserts holds {
	if (!holds) throw new Error(`consensus: ${message}`);
}

export function unreachable(value: never): never {
	throw new Error(`consensus: unexpected ${JSON.stringify(value)}`);
}
