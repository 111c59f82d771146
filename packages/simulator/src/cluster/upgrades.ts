/** A rolling upgrade: members run the program of the last wire version, and at some start this one. Never back. */
import { wireVersions } from "../../../skein/src/peer/codec/wire-version.ts";
import type { WireVersions } from "../../../skein/src/world/network.ts";
import type { Chance } from "../engine/chance.ts";

export interface UpgradeSettings {
	/** How likely a member begins with the older program. */
	readonly old: number;
	/** How likely it gets this one, at each start but the first. */
	readonly atStart: number;
}

/** What one member's program understands; to be asked once at each of its starts. */
export function createUpgrades(chance: Chance, settings: UpgradeSettings | null): () => WireVersions {
	const { newest } = wireVersions;
	let isOld = settings !== null && chance.happens(settings.old);
	let starts = 0;
	return () => {
		if (isOld && starts++ > 0 && chance.happens(settings?.atStart ?? 0)) isOld = false;
		return isOld ? { oldest: newest - 1, newest: newest - 1 } : wireVersions;
	};
}
