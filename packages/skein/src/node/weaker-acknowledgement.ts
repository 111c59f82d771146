/** What can be said of several writes that were answered together, each in its mode: the least of what each promises. */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";

/** Null: it was no write. */
export function weakerOf(one: Acknowledgement | null, other: Acknowledgement | null): Acknowledgement | null {
	if (one === null || other === null) return one ?? other;
	return strengthOf(other) < strengthOf(one) ? other : one;
}

function strengthOf(acknowledgement: Acknowledgement): number {
	switch (acknowledgement.mode) {
		case "async":
			return 0;
		case "semi-sync":
			return 1 - 1 / acknowledgement.followers / 2;
		case "quorum":
			return 1;
		case "chain":
			return 2;
		case "sync":
			return acknowledgement.strict ? 4 : 3;
		default: {
			const never: never = acknowledgement;
			throw new Error(String(never));
		}
	}
}
