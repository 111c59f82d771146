/**
 * Nodes of one process under the eyes of the properties: real wiring, log and core, in the world of
 * memory that the node's own tests use; crashes, cuts and writes from one seed. The lies are what a
 * broken node, log or disk would do, to show that the properties notice.
 */
import { encodeConfiguration, initialConfiguration } from "../../../../skein/src/consensus/configuration.ts";
import type { NodeId } from "../../../../skein/src/consensus/types.ts";
import type { Database } from "../../../../skein/src/database/database.ts";
import type { Log } from "../../../../skein/src/log/log.ts";
import { openLog } from "../../../../skein/src/log/segmented-log.ts";
import { createNode, type Node } from "../../../../skein/src/node/node.ts";
import type { NodeSettings } from "../../../../skein/src/node/settings.ts";
import { defaultNodeSettings } from "../../../../skein/src/node/settings.ts";
import { insert, program, request } from "../../../../skein/src/node/testing/cluster.ts";
import {
	createDatabaseFile,
	openMemoryDatabase,
} from "../../../../skein/src/node/testing/memory-database.ts";
import { createMemoryNetwork } from "../../../../skein/src/node/testing/memory-network.ts";
import { createVirtualClock } from "../../../../skein/src/node/testing/virtual-clock.ts";
import type { Clock } from "../../../../skein/src/world/clock.ts";
import type { Disk } from "../../../../skein/src/world/disk.ts";
import { silentLogger } from "../../../../skein/src/world/logger.ts";
import { createMemoryDisk } from "../../../../skein/src/world/testing/memory-disk.ts";
import { createChance } from "../../engine/chance.ts";
import type { Observation } from "../observation.ts";
import { observeDatabase, observeLog, observeNetwork } from "../observe-member.ts";
import { createWatch, type Watch } from "../watch.ts";

export interface Lies {
	readonly log?: (log: Log) => Log;
	readonly disk?: (disk: Disk) => Disk;
	readonly database?: (database: Database, node: NodeId) => Database;
}

export interface WatchedRun {
	readonly watch: Watch;
	readonly acknowledged: number;
	readonly crashes: number;
	readonly failures: readonly Error[];
}

const settings: NodeSettings = {
	...defaultNodeSettings,
	compactLogBytes: 4_096,
	logSegmentBytes: 2_048,
	logTailEntries: 10,
	compactionIntervalMs: 200,
};

export async function runWatched(options: {
	readonly seed: number;
	readonly size: number;
	readonly spanMs: number;
	readonly lies?: Lies;
}): Promise<WatchedRun> {
	const chance = createChance(options.seed);
	const random = (): number => chance.next();
	const clock = createVirtualClock();
	const network = createMemoryNetwork(clock, random);
	const watch = createWatch();
	const ids = Array.from({ length: options.size }, (_, number) => `n${number + 1}`);
	const bootstrap = initialConfiguration(ids.map((id) => ({ id, peer: `${id}:1` })));
	const failures: Error[] = [];
	let acknowledged = 0;
	let crashes = 0;

	const members = ids.map((id) => ({
		id,
		disk: createMemoryDisk(random),
		file: createDatabaseFile(),
		node: null as Node | null,
		die: (): void => {},
		cut: false,
	}));
	type Member = (typeof members)[number];

	/** Production code calls it: what is broken is looked up afterwards. */
	function show(observation: Observation): void {
		try {
			watch.observe(observation);
		} catch (error) {
			if (watch.broken === null) throw error;
		}
	}

	async function start(member: Member): Promise<void> {
		const { id, file } = member;
		const disk = options.lies?.disk?.(member.disk) ?? member.disk;
		const opened = await openLog({
			disk,
			directory: "log",
			create: { clusterId: "c", nodeId: id, incarnation: "00".repeat(16) },
			bootstrap: [{ index: 1, term: 1, kind: "configuration", payload: encodeConfiguration(bootstrap) }],
			settings: { segmentBytes: settings.logSegmentBytes, cacheBytes: settings.logCacheBytes },
		});
		let alive = true;
		const observe: Watch["observe"] = (observation) => {
			if (alive) show(observation);
		};
		const plain = openMemoryDatabase(file, disk);
		const database = options.lies?.database?.(plain, id) ?? plain;
		const log = options.lies?.log?.(opened) ?? opened;
		const { recovered } = log;
		observe({ type: "started", node: id, recovered, applied: database.opened.applied });
		const ownClock: Clock = {
			now: () => clock.now(),
			wallTime: () => clock.wallTime(),
			setTimer: (delayMs, callback) => clock.setTimer(delayMs, () => alive && callback()),
		};
		const connection = network.connect(id);
		const node = await createNode({
			self: id,
			version: "0.0.0",
			url: `http://${id}`,
			bootstrap,
			log: observeLog(log, id, observe),
			database: observeDatabase(database, id, observe, () => JSON.stringify(file.content.items)),
			network: observeNetwork(connection, observe),
			clock: ownClock,
			random: { below: (bound) => chance.below(bound), bytes: (length) => chance.bytes(length) },
			disk,
			logger: silentLogger,
			settings,
			mustRunAlone: (asked) => asked.interactive,
			notedIn: () => null,
		});
		member.node = node;
		member.die = () => {
			alive = false;
			void connection.stop();
			show({ type: "ended", node: id });
		};
		void node.failed.then((error) => {
			if (alive) failures.push(error);
		});
		await node.start();
	}

	async function crash(member: Member): Promise<void> {
		crashes++;
		member.die();
		member.node = null;
		if (chance.happens(0.5)) member.disk.crash();
		else member.disk.kill();
		await clock.run(chance.between(0, 500));
		await start(member).catch((error: unknown) => {
			// A node that cannot go on from what its disk holds says so, and stays down.
			failures.push(error instanceof Error ? error : new Error(String(error)));
		});
	}

	for (const member of members) await start(member);
	let values = 0;
	for (let elapsed = 0; elapsed < options.spanMs && watch.broken === null; elapsed++) {
		await clock.run(1);
		for (const { id, node } of members) if (node !== null) show({ type: "view", node: id, view: node.core });
		const member = chance.pick(members);
		if (chance.happens(0.1) && member.node !== null) {
			const stream = member.node.service.openStream();
			const written = stream.run(program(insert(`v${values++}`)), { ...request, timeoutMs: 1_000 });
			written.then(
				() => acknowledged++,
				() => {},
			);
		}
		if (chance.happens(0.002)) {
			member.cut = !member.cut;
			network.cut(member.id, member.cut);
		}
		if (chance.happens(0.001)) {
			await crash(member);
			if (member.cut) network.cut(member.id, false);
			member.cut = false;
		}
	}
	for (const member of members) member.die();
	return { watch, acknowledged, crashes, failures };
}
