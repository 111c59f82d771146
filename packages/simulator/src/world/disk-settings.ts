/** How long the operations of a simulated disk take, and what it does when a sync fails: drawn once a run. */
import type { Milliseconds } from "../../../skein/src/world/clock.ts";
import type { Chance } from "../engine/chance.ts";
import type { FailedSyncCache } from "./simulated-file.ts";

export type OperationKind = "read" | "write" | "sync" | "name" | "name-sync";

export interface DiskSettings {
	/** An operation takes half of its mean at least, and the rest exponentially distributed. */
	readonly meanMs: Readonly<Record<OperationKind, Milliseconds>>;
	/** Now and then one takes much longer. */
	readonly spikeProbability: number;
	readonly meanSpikeMs: Milliseconds;
	readonly cacheAfterFailedSync: FailedSyncCache;
}

const solidState: DiskSettings["meanMs"] = {
	read: 0.05,
	write: 0.01,
	sync: 0.3,
	name: 0.02,
	"name-sync": 0.3,
};

export const calmDisk: DiskSettings = {
	meanMs: solidState,
	spikeProbability: 0,
	meanSpikeMs: 0,
	cacheAfterFailedSync: "reverted",
};

export function drawDiskSettings(chance: Chance): DiskSettings {
	const factor = chance.pick([0.1, 1, 1, 10, 40]);
	const meanMs = { ...solidState };
	for (const kind of ["read", "write", "sync", "name", "name-sync"] as const) meanMs[kind] *= factor;
	return {
		meanMs,
		spikeProbability: chance.happens(0.5) ? 0 : chance.pick([0.001, 0.01]),
		meanSpikeMs: chance.pick([20, 200, 1_500]),
		cacheAfterFailedSync: chance.pick(["kept", "reverted"]),
	};
}
