/** A cluster on which nothing bad happens by itself: a test does to it what it is about. */
import { crc32 } from "node:zlib";
import type { Acknowledgement } from "../../../../skein/src/consensus/acknowledge/acknowledgement.ts";
import type { NodeSettings } from "../../../../skein/src/node/settings.ts";
import { type Cluster, createCluster } from "../../cluster/cluster.ts";
import type { Member } from "../../cluster/member.ts";
import { type Chance, createChance } from "../../engine/chance.ts";
import { createScheduler, type Scheduler } from "../../engine/scheduler.ts";
import type { Step } from "../../history/history.ts";
import { connect, type Reply } from "../../load/connection.ts";
import { programOf, statementOf } from "../../machine/statements.ts";
import { registersProfile } from "../../machine/store.ts";
import type { Observation } from "../../properties/observation.ts";
import type { Tell, WorldEvent } from "../../trace/event.ts";
import { calmDisk } from "../../world/disk-settings.ts";
import { calmNetwork } from "../../world/network-settings.ts";
import { drawSettings } from "../swarm.ts";

export interface CalmWorld {
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly settings: NodeSettings;
	readonly cluster: Cluster;
	/** What was told so far, and how a part of the test tells. */
	readonly events: readonly WorldEvent[];
	readonly tell: Tell;
	/** One client, one request, one answer. */
	readonly ask: (member: Member, step: Step, patienceMs: number) => Promise<Reply>;
}

export interface CalmWorldOptions {
	readonly seed: number;
	readonly size: number;
	readonly spares?: number;
	/** So many of the members, the last ones; default: none. */
	readonly witnesses?: number;
	/** On top of what the seed draws. */
	readonly settings?: (drawn: NodeSettings) => NodeSettings;
	readonly observe?: (observation: Observation) => void;
}

const acknowledgement: Acknowledgement = { mode: "quorum" };

export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function fail(error: unknown): never {
	throw error;
}

export function createCalmWorld(options: CalmWorldOptions): CalmWorld {
	const { seed, size } = options;
	const scheduler = createScheduler(settle);
	const chance = createChance(seed);
	const events: WorldEvent[] = [];
	const tell: Tell = (event) => void events.push(event);
	const drawn = drawSettings(chance.fork("settings"), size);
	const settings = options.settings?.(drawn) ?? drawn;
	const cluster = createCluster({
		size,
		spares: options.spares ?? 0,
		witnesses: options.witnesses ?? 0,
		scheduler,
		chance: chance.fork("cluster"),
		profile: registersProfile(settle, crc32),
		settings,
		networkSettings: calmNetwork,
		diskSettingsOf: () => calmDisk,
		storeSettings: {
			payloads: "group",
			executeMs: 0.05,
			readMs: 0.05,
			storedOutcomeAgeMs: 86_400_000,
			maxTransactionBytes: 1_000_000,
			format: { first: "row", changesEveryMs: null },
		},
		tell,
		observe: options.observe ?? (() => {}),
	});
	return {
		scheduler,
		chance,
		settings,
		cluster,
		events,
		tell,
		async ask(member, step, patienceMs) {
			const connection = connect({
				member,
				scheduler,
				chance,
				delayMs: 0.1,
				isLetIn: false,
				onOutrage: fail,
			});
			const request = {
				consistency: { level: "linearizable" },
				idempotencyKey: null,
				acknowledgement,
				timeoutMs: patienceMs,
			} as const;
			const reply = await connection.send(programOf([statementOf(step)]), request, 2 * patienceMs);
			connection.close();
			return reply;
		},
	};
}
