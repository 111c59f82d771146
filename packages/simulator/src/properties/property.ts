/** One thing that must hold, always: it hears what happens and throws when it does not hold any more. */
import type { Observation, Observed } from "./observation.ts";

export interface Property {
	readonly name: string;
	/** Called after the members' logs (member-logs.ts) were brought up to date. */
	readonly on: { readonly [Type in Observation["type"]]?: (observation: Observed<Type>) => void };
}

export class BrokenProperty extends Error {
	readonly property: string;

	constructor(property: string, what: string) {
		super(`${property}: ${what}`);
		this.name = "BrokenProperty";
		this.property = property;
	}
}

export function must(holds: boolean, property: string, what: () => string): asserts holds {
	if (!holds) throw new BrokenProperty(property, what());
}
