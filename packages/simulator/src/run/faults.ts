/** Which faults a run has and how often each begins: drawn once. */
import type { Chance } from "../engine/chance.ts";
import type { AtlasProfile } from "../world/fault-atlas.ts";

export const faultKinds = [
	"kill",
	"power",
	"crash-at-action",
	"crash-at-operation",
	"power-everywhere",
	"stop",
	"pause",
	"pause-everywhere",
	"partition",
	"clog",
	"break-connections",
	"disk-hang",
	"disk-slow",
	"disk-full",
	"disk-error",
	"disk-rot",
	"disk-misdirect",
	"clock-jump",
	"clock-rate",
	"slow-node",
	"transfer",
	"plot",
	"wipe",
	"members",
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface FaultSettings {
	/** Between two faults of this kind, on average; Infinity: never. */
	readonly everyMs: Readonly<Record<FaultKind, number>>;
	/** How long a fault lasts, on average. */
	readonly lastsMs: number;
	/** Damage to disks stays within what Skein promises to survive, or goes beyond it: then it must refuse, not lie. */
	readonly atlas: AtlasProfile;
	/** Machines that may take part later; 0: members stay as they are. */
	readonly spares: number;
	/** What plots are timed by. */
	readonly electionTimeoutMs: number;
}

/** Rare by nature: all nodes at once, and what never comes back. */
const rarity: Readonly<Partial<Record<FaultKind, number>>> = {
	"power-everywhere": 5,
	"pause-everywhere": 5,
	wipe: 10,
	"disk-error": 3,
};

const plotShare = 0.5;
const memberShare = 0.4;

/** What must come, and soon, where the damage goes beyond what Skein survives. */
const damage: ReadonlySet<FaultKind> = new Set(["disk-rot", "disk-misdirect"]);

export function drawFaults(chance: Chance, size: number, electionTimeoutMs: number): FaultSettings {
	const atlas = chance.happens(0.1) ? "beyond" : "covered";
	const calm = atlas === "covered" && chance.happens(0.05);
	// Where everything goes wrong little is done, and what only a long log shows never happens; nor is a plot
	// carried out, so that some runs have plots alone.
	const share = chance.pick([0, 0.1, 0.25, 0.4]);
	// From a chance of its own: runs without such changes are what they were before there were any.
	const ofMembers = chance.fork("members");
	const changes = !calm && atlas === "covered" && ofMembers.happens(memberShare);
	const everyMs = Object.fromEntries(
		faultKinds.map((kind) => {
			if (kind === "members")
				return [kind, changes ? ofMembers.pick([500, 1_500, 5_000]) : Number.POSITIVE_INFINITY];
			if (atlas === "beyond" && damage.has(kind)) return [kind, chance.pick([500, 2_000])];
			if (atlas === "beyond" && kind === "wipe" && size > 1) return [kind, chance.pick([500, 2_000, 6_000])];
			const isPlot = kind === "plot";
			const rate = isPlot ? (share === 0 ? 1 : plotShare) : share;
			const never = calm || !chance.happens(rate) || (kind === "wipe" && size < 3);
			const mean = chance.pick(isPlot ? [500, 2_000, 6_000] : [500, 2_000, 6_000, 20_000]);
			return [kind, never ? Number.POSITIVE_INFINITY : mean * (rarity[kind] ?? 1)];
		}),
	) as Record<FaultKind, number>;
	const lastsMs = chance.pick([100, 1_000, 4_000]);
	if (!changes) return { everyMs, lastsMs, atlas, spares: 0, electionTimeoutMs };
	// Disks that are lost are what new members are for.
	const wipe = ofMembers.happens(0.5) ? 10_000 : everyMs.wipe;
	return { everyMs: { ...everyMs, wipe }, lastsMs, atlas, spares: 6, electionTimeoutMs };
}
