/**
 * Everything about a run, drawn from its seed. "Swarm": each run leaves out most of what could happen
 * and has much of the rest, since faults that always come together hide what each does alone (Groce et
 * al., Swarm Testing, 2012).
 */

import type { Acknowledgement } from "../../../skein/src/consensus/acknowledge/acknowledgement.ts";
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import { logFormats } from "../../../skein/src/database/log-format.ts";
import { defaultNodeSettings, type NodeSettings } from "../../../skein/src/node/settings.ts";
import type { UpgradeSettings } from "../cluster/upgrades.ts";
import type { Chance } from "../engine/chance.ts";
import { type AskedMode, type LoadSettings, type OperationKind, operationKinds } from "../load/settings.ts";
import type { FormatSettings, StoreSettings } from "../machine/store.ts";
import { type DiskSettings, drawDiskSettings } from "../world/disk-settings.ts";
import { drawNetworkSettings, type NetworkSettings } from "../world/network-settings.ts";
import { drawFaults, type FaultSettings } from "./faults.ts";

export interface RunPlan {
	readonly size: number;
	/** Of these, the last ones: they vote and have no data. */
	readonly witnesses: number;
	readonly settings: NodeSettings;
	readonly store: StoreSettings;
	readonly load: LoadSettings;
	readonly faults: FaultSettings;
	/** Between two changes of leadership by an operator, on average; null: none. */
	readonly leadershipEveryMs: number | null;
	readonly network: NetworkSettings;
	/** Null: all members run this program. */
	readonly upgrades: UpgradeSettings | null;
	readonly diskOf: (node: NodeId) => DiskSettings;
	/** Simulated time with faults. */
	readonly safetyMs: number;
	/** How long a healed majority may take until it serves. */
	readonly livenessMs: number;
	/** Clients go on while the majority recovers. */
	readonly loadDuringRecovery: boolean;
}

export interface Budget {
	/** Simulated seconds of the safety phase, at most. */
	readonly seconds: number;
}

export function drawPlan(chance: Chance, budget: Budget): RunPlan {
	const size = chance.pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7]);
	const sameDisks = chance.happens(0.5);
	const witnesses = drawWitnesses(chance.fork("witnesses"), size);
	const drawn = drawSettings(chance.fork("settings"), size - witnesses);
	// Not where parts run without the operator that manual needs.
	const elector = chance.fork("elector").pick([null, null, null, "bully", "zab", "manual"] as const);
	const settings = { ...drawn, consensus: { ...drawn.consensus, elector } };
	return {
		size,
		witnesses,
		settings,
		store: drawStore(chance.fork("store")),
		load: {
			...drawLoad(chance.fork("load"), size - witnesses, settings.acknowledgement ?? quorum),
			...drawModeChanges(chance.fork("mode changes"), size - witnesses),
		},
		faults: drawFaults(chance.fork("faults"), size, settings.consensus.electionTimeoutMs),
		leadershipEveryMs: chance.fork("leadership").pick([null, null, 500, 3_000]),
		network: drawNetworkSettings(chance.fork("network")),
		upgrades: chance
			.fork("upgrades")
			.pick([null, null, { old: 0.6, atStart: 0.3 }, { old: 0.8, atStart: 0 }]),
		diskOf: (node) => drawDiskSettings(chance.fork(sameDisks ? "disks" : `disk of ${node}`)),
		safetyMs: budget.seconds * 1_000 * chance.between(0.3, 1),
		livenessMs: 20_000 + 40 * settings.consensus.electionTimeoutMs,
		// A follower that needs a snapshot never catches up with a log that is cut faster than it travels.
		loadDuringRecovery:
			settings.logTailEntries >= 500 &&
			settings.maxHeldLogBytes === defaultNodeSettings.maxHeldLogBytes &&
			chance.happens(0.7),
	};
}

/** A minority: in a quarter of the runs most often the one beside two members with data that they are for. */
function drawWitnesses(chance: Chance, size: number): number {
	if (size < 3 || !chance.happens(0.25)) return 0;
	return size < 5 ? 1 : chance.pick([1, 2]);
}

export function drawSettings(chance: Chance, size: number): NodeSettings {
	const heartbeatIntervalMs = chance.pick([30, 50, 100]);
	const tickIntervalMs = chance.pick([10, 20, heartbeatIntervalMs / 2]);
	// Each alone does little: a log that is cut at once needs all of them.
	const isEager = chance.happens(0.25);
	const modes = chance.fork("modes");
	const acknowledgement = drawNodeMode(chance.fork("acknowledgement"), size);
	return {
		...defaultNodeSettings,
		acknowledgement,
		consensus: {
			heartbeatIntervalMs,
			electionTimeoutMs: heartbeatIntervalMs * chance.pick([5, 7, 10, 20]),
			diskStallMs: chance.pick([200, 1_000]),
			maxInFlightBytes: chance.pick([2_048, 65_536, 8_388_608]),
			maxAppendBytes: chance.pick([512, 4_096, 1_048_576]),
			maxUncommittedBytes: chance.pick([4_096, 65_536, 67_108_864]),
			maxUnacknowledged: modes.pick([2, 10_000]),
			maxPendingReads: chance.pick([4, 10_000]),
			transferTimeoutMs: chance.pick([500, 2_000]),
			syncLeaseMs: chance.fork("sync").pick([150, 400, 1_000]),
			maxClockDrift: defaultNodeSettings.consensus.maxClockDrift,
			// Without it nobody reads by himself, and chains are long for nothing.
			leaderLease: chance.fork("lease").happens(acknowledgement?.mode === "chain" ? 0.8 : 0.5),
			// As the node's own mode says.
			chain: false,
			elector: null,
		},
		tickIntervalMs,
		leaderWaitMs: chance.pick([500, 3_000, 8_000]),
		maxBatchRequests: chance.pick([1, 4, 256]),
		maxQueuedWrites: chance.pick([3, 10_000]),
		maxQueuedReads: chance.pick([3, 20_000]),
		maxForwarded: chance.pick([2, 10_000]),
		maxStreams: chance.pick([6, 10_000]),
		transactionIdleMs: chance.pick([100, 1_000, 5_000]),
		transactionTotalMs: chance.pick([500, 10_000]),
		fragmentBytes: chance.pick([64, 400, 4_096, 524_288]),
		maxProposedBytes: chance.pick([256, 4_096, 8_388_608]),
		maxApplyBytes: chance.pick([1, 1_024, 4_194_304]),
		applyDelayMs: chance.pick([0, 5, 20]),
		// Nothing rests on these two: where they came ten times a second, they were most of what members did.
		statusIntervalMs: chance.pick([500, 1_000]),
		takeoverDelayMs: chance.fork("takeover").pick([300, 2_000, defaultNodeSettings.takeoverDelayMs]),
		compactionIntervalMs: isEager ? 100 : chance.pick([500, 1_000]),
		checkpointBytes: isEager ? 256 : chance.pick([1_024, 16_384, 1_048_576]),
		compactLogBytes: isEager ? 512 : chance.pick([1_024, 2_048, 16_384, 67_108_864]),
		logTailEntries: isEager ? 0 : chance.pick([0, 5, 50, 500]),
		logSegmentBytes: chance.pick([512, 1_024, 4_096, 16_384]),
		logCacheBytes: chance.pick([0, 2_048, 1_048_576]),
		snapshotChunkBytes: chance.pick([512, 4_096, 262_144]),
		snapshotWindowChunks: chance.pick([1, 4]),
		snapshotStallMs: chance.pick([1_000, 10_000]),
		snapshotBytesPerSecond: chance.pick([500_000, 67_108_864]),
		stopTimeoutMs: 5_000,
		maxHeldLogBytes: chance.pick([0, 4_096, defaultNodeSettings.maxHeldLogBytes]),
		statementTimeoutMs: chance.pick([200, 2_000, defaultNodeSettings.statementTimeoutMs]),
		maxOpenMs: modes.pick([5, 50, 500]),
		maxOpenBytes: modes.pick([200, 4_096, 4_194_304]),
	};
}

function drawStore(chance: Chance): StoreSettings {
	return {
		payloads: chance.pick(["group", "request"]),
		executeMs: chance.pick([0.02, 0.2, 2]),
		readMs: chance.pick([0.02, 0.5]),
		// No run lasts as long: whatever is forgotten by age is forgotten wrongly.
		storedOutcomeAgeMs: chance.pick([5, 30, 24 * 60]) * 60_000,
		maxTransactionBytes: chance.pick([6_000, 100_000_000, 100_000_000]),
		format: drawFormat(chance.fork("format")),
	};
}

function drawFormat(chance: Chance): FormatSettings {
	const first = chance.pick(logFormats);
	return { first, changesEveryMs: chance.pick([null, null, 300, 2_000]) };
}

const quorum: Acknowledgement = { mode: "quorum" };

/** What holds for writes that do not say: production's own in half of the runs. */
function drawNodeMode(chance: Chance, size: number): Acknowledgement | null {
	if (chance.fork("chain").happens(0.2)) return { mode: "chain" };
	if (chance.happens(0.5)) return defaultNodeSettings.acknowledgement;
	const modes: Acknowledgement[] = [
		{ mode: "async" },
		{ mode: "sync", strict: false },
		{ mode: "sync", strict: true },
	];
	if (size > 1) modes.push({ mode: "semi-sync", followers: chance.integer(1, size - 1) });
	return chance.pick(modes);
}

/** Most runs mix them: whoever waits for more must not be answered with less. */
function drawModes(chance: Chance, size: number): Acknowledgement[] {
	if (chance.happens(0.3)) return [quorum];
	const others: Acknowledgement[] = [{ mode: "async" }];
	// One more than there are, now and then: that is an error.
	const most = chance.happens(0.1) ? size : size - 1;
	for (let followers = 1; followers <= most; followers++) others.push({ mode: "semi-sync", followers });
	const some = chance.shuffle(others).slice(0, chance.integer(1, others.length));
	return chance.happens(0.8) ? [quorum, ...some] : some;
}

/** In some runs an operator chooses others while they go on. */
function drawModeChanges(
	chance: Chance,
	size: number,
): Pick<LoadSettings, "chosenModes" | "modeChangesEveryMs"> {
	const modeChangesEveryMs = chance.pick([null, null, 300, 2_000]);
	if (modeChangesEveryMs === null) return { chosenModes: [], modeChangesEveryMs };
	const drawn = ["one", "another"].map((name) => drawNodeMode(chance.fork(name), size) ?? quorum);
	return { chosenModes: [quorum, ...drawn], modeChangesEveryMs };
}

function drawSync(chance: Chance): Acknowledgement[] {
	const sync: Acknowledgement = { mode: "sync", strict: false };
	const strict: Acknowledgement = { mode: "sync", strict: true };
	// Where it is half of the load its promise is often asked.
	const modes = chance.pick([[], [sync], [sync, sync, sync], [sync, strict], [strict]]);
	return chance.fork("chain").happens(0.2) ? [...modes, { mode: "chain" }] : modes;
}

/** In most runs some writes leave their mode out, in some all do. */
function drawAskedModes(chance: Chance, modes: readonly AskedMode[]): readonly AskedMode[] {
	if (chance.happens(0.2)) return modes;
	return chance.happens(0.2) ? ["node's"] : [...modes, ...Array(chance.integer(1, 2)).fill("node's")];
}

function drawLoad(
	chance: Chance,
	size: number,
	nodeMode: Acknowledgement,
): Omit<LoadSettings, "chosenModes" | "modeChangesEveryMs"> {
	const weights = Object.fromEntries(
		operationKinds.map((kind) => [kind, chance.happens(0.6) ? chance.next() : 0]),
	) as Record<OperationKind, number>;
	// A run in which nothing is written, or nobody reads, finds nothing.
	weights.write += 0.3;
	weights.read += 0.3;
	return {
		clients: chance.integer(2, 8),
		thinkMs: chance.pick([10, 50, 200]),
		delayMs: chance.pick([0.1, 1]),
		keys: chance.pick([1, 3, 10, 40]),
		paddingLength: chance.pick([0, 100, 2_000]),
		weights,
		keyedShare: chance.pick([0, 0.3, 1]),
		attempts: chance.pick([1, 3, 8]),
		timeoutMs: chance.pick([50, 500, 3_000, 10_000]),
		patience: chance.pick([0.5, 1, 3]),
		// Beside writes of other modes nobody in a chain reads by himself.
		modes:
			nodeMode.mode === "chain" && chance.fork("chain").happens(0.7)
				? ["node's", nodeMode]
				: drawAskedModes(chance.fork("asked"), [
						...drawModes(chance.fork("modes"), size),
						...drawSync(chance.fork("sync")),
					]),
		nodeMode,
		goneShare: chance.pick([0, 0, 0.1]),
		wanders: chance.happens(0.5),
		leavesShare: chance.pick([0, 0.5, 1]),
		sessions: chance.pick([1, 1, 3]),
		boundsMs: chance.pick([[0, 20, 200], [50], [200, 1_000], [5_000]]),
	};
}
