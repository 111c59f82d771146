/** Which faults a run has and how often each begins: drawn once. */
import type { Chance } from "../engine/chance.ts";

export const faultKinds = [
	"kill",
	"power",
	"crash-at-action",
	"power-everywhere",
	"stop",
	"pause",
	"partition",
	"clog",
	"break-connections",
	"disk-hang",
	"disk-slow",
	"disk-full",
	"disk-error",
	"clock-jump",
	"slow-node",
	"transfer",
	"wipe",
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface FaultSettings {
	/** Between two faults of this kind, on average; Infinity: never. */
	readonly everyMs: Readonly<Record<FaultKind, number>>;
	/** How long a fault lasts, on average. */
	readonly lastsMs: number;
}

/** Rare by nature: all nodes at once, and what never comes back. */
const rarity: Readonly<Partial<Record<FaultKind, number>>> = {
	"power-everywhere": 5,
	wipe: 10,
	"disk-error": 3,
};

export function drawFaults(chance: Chance, size: number): FaultSettings {
	const calm = chance.happens(0.05);
	const everyMs = Object.fromEntries(
		faultKinds.map((kind) => {
			const never = calm || !chance.happens(0.4) || (kind === "wipe" && size < 3);
			const mean = chance.pick([500, 2_000, 6_000, 20_000]);
			return [kind, never ? Number.POSITIVE_INFINITY : mean * (rarity[kind] ?? 1)];
		}),
	) as Record<FaultKind, number>;
	return { everyMs, lastsMs: chance.pick([100, 1_000, 4_000]) };
}
