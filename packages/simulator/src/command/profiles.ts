// The profiles by name, on Node: how the world waits until everything has settled is the platform's.
import { type Profile, registersProfile } from "../machine/store.ts";
import type { ProfileName } from "./run-one.ts";

export function profileOf(name: ProfileName): Profile {
	switch (name) {
		case "registers":
			return registersProfile(settle);
		case "sqlite":
			throw new Error("not yet");
		default: {
			const never: never = name;
			throw new Error(String(never));
		}
	}
}

/** All promises that can settle have settled when the event loop turns: nothing of the world waits for the platform. */
function settle(): Promise<void> {
	return new Promise((resolve) => {
		setImmediate(resolve);
	});
}
