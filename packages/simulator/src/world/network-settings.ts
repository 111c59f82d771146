/** How a simulated network behaves when nobody cuts anything: drawn once a run, and how a healed one does. */
import type { Milliseconds } from "../../../skein/src/world/clock.ts";
import type { Lane } from "../../../skein/src/world/network.ts";
import type { Chance } from "../engine/chance.ts";

export interface NetworkSettings {
	/** A message is on its way for at least this, … */
	readonly minDelayMs: Milliseconds;
	/** … and for this longer on average (exponentially distributed), … */
	readonly meanDelayMs: Milliseconds;
	/** … and now and then for much longer; what comes behind it in its lane waits for it. */
	readonly spikeProbability: number;
	readonly meanSpikeMs: Milliseconds;
	/** A message vanishes, and nobody is told. */
	readonly lossProbability: number;
	/** A message comes twice: the copy by itself, up to much later, also after its connection has ended. */
	readonly duplicateProbability: number;
	readonly meanDuplicateMs: Milliseconds;
	/** Nothing leaves on this way for a while; begins with a message. */
	readonly clogProbability: number;
	readonly meanClogMs: Milliseconds;
	/** How fast a lane takes bytes; what it has not taken yet waits in the sender's queue. */
	readonly bytesPerMs: number;
	/** More than this is not queued: `send` says false. */
	readonly maxQueuedBytes: Readonly<Record<Lane, number>>;
	/** A connection ends by itself, after this long on average; Infinity: never. */
	readonly meanConnectionMs: Milliseconds;
	/** What was under way when a connection ended arrives all the same, … */
	readonly lateProbability: number;
	/** … this much later on average: after what a new connection carries. */
	readonly meanLateMs: Milliseconds;
	/** The end of a connection is noticed by nobody until the stall is. What is sent meanwhile is lost. */
	readonly silentProbability: number;
	/** Bytes were sent and none was confirmed for so long: the connection is given up. */
	readonly stallTimeoutMs: Milliseconds;
	/** News of a connection come late, if it still stands then; else never. */
	readonly lateNewsProbability: number;
	readonly meanLateNewsMs: Milliseconds;
	/** Until a connection that can be made is made. */
	readonly meanReconnectMs: Milliseconds;
}

const mebibyte = 1024 * 1024;

/** What a good network in one building does. */
export const calmNetwork: NetworkSettings = {
	minDelayMs: 0.2,
	meanDelayMs: 0.3,
	spikeProbability: 0,
	meanSpikeMs: 0,
	lossProbability: 0,
	duplicateProbability: 0,
	meanDuplicateMs: 0,
	clogProbability: 0,
	meanClogMs: 0,
	bytesPerMs: Number.POSITIVE_INFINITY,
	maxQueuedBytes: { control: mebibyte, log: 64 * mebibyte, bulk: 4 * mebibyte },
	meanConnectionMs: Number.POSITIVE_INFINITY,
	lateProbability: 0,
	meanLateMs: 0,
	silentProbability: 0,
	stallTimeoutMs: 10_000,
	lateNewsProbability: 0,
	meanLateNewsMs: 0,
	meanReconnectMs: 20,
};

/** Swarm: each fault is absent from half of the runs. */
export function drawNetworkSettings(chance: Chance): NetworkSettings {
	const some = (rates: readonly number[]): number => (chance.happens(0.5) ? 0 : chance.pick(rates));
	const isNarrow = chance.happens(0.3);
	return {
		minDelayMs: chance.pick([0.1, 0.5, 2, 10]),
		meanDelayMs: chance.pick([0.2, 1, 5, 20]),
		spikeProbability: some([0.001, 0.01, 0.05]),
		meanSpikeMs: chance.pick([50, 300, 2_000]),
		lossProbability: some([0.001, 0.01, 0.05, 0.2]),
		duplicateProbability: some([0.001, 0.02, 0.2]),
		meanDuplicateMs: chance.pick([5, 200, 3_000]),
		clogProbability: some([0.0002, 0.002]),
		meanClogMs: chance.pick([200, 2_000, 5_000]),
		bytesPerMs: isNarrow ? chance.pick([50, 500, 5_000]) : Number.POSITIVE_INFINITY,
		// Never less than the longest message of a lane: such a one could never be sent.
		maxQueuedBytes: chance.happens(0.3)
			? { control: 16_384, log: mebibyte, bulk: 524_288 }
			: calmNetwork.maxQueuedBytes,
		meanConnectionMs: chance.happens(0.5) ? Number.POSITIVE_INFINITY : chance.pick([500, 3_000, 20_000]),
		lateProbability: some([0.2, 0.9]),
		meanLateMs: chance.pick([5, 100, 1_000]),
		silentProbability: some([0.1, 0.5]),
		stallTimeoutMs: chance.pick([1_000, 10_000]),
		lateNewsProbability: some([0.1, 0.5]),
		meanLateNewsMs: chance.pick([10, 500]),
		meanReconnectMs: chance.pick([2, 50, 500]),
	};
}
