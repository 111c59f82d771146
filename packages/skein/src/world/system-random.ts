/** The operating system's source of chance. */
import { randomBytes, randomInt } from "node:crypto";
import type { Random } from "./random.ts";

export function createSystemRandom(): Random {
	return {
		below: (bound) => randomInt(bound),
		bytes: (length) => new Uint8Array(randomBytes(length)),
	};
}
