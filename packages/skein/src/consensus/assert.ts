/** What must hold. A core that finds itself wrong stops, rather than break a promise. */

/** A message that says numbers is a function: to put it together costs more than most of what is asserted. */
export function assert(holds: boolean, message: string | (() => string)): asserts holds {
	if (!holds) throw new Error(`consensus: ${typeof message === "string" ? message : message()}`);
}

export function unreachable(value: never): never {
	throw new Error(`consensus: unexpected ${JSON.stringify(value)}`);
}
