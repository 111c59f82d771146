/** Several nodes in one process, on the wiring of node.ts as it is, in a world of memory. */
import { encodeConfiguration, initialConfiguration, noMembers } from "../../consensus/configuration.ts";
import type { NodeId } from "../../consensus/types.ts";
import type { Program, Statement } from "../../database/program.ts";
import { openWitnessDatabase } from "../../database/witness-database.ts";
import { openLog } from "../../log/segmented-log.ts";
import { silentLogger } from "../../world/logger.ts";
import { createMemoryDisk, type MemoryDisk } from "../../world/testing/memory-disk.ts";
import { createNode, type Node, type NodeOptions } from "../node.ts";
import type { Answer, RequestOptions } from "../service.ts";
import { defaultNodeSettings, type NodeSettings } from "../settings.ts";
import { createDatabaseFile, type DatabaseFile, openMemoryDatabase } from "./memory-database.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./memory-network.ts";
import { seeded } from "./seeded.ts";
import { createVirtualClock, type VirtualClock } from "./virtual-clock.ts";

export interface Member {
	readonly id: NodeId;
	readonly disk: MemoryDisk;
	readonly file: DatabaseFile;
	readonly isWitness: boolean;
	/** What it logged, but for debugging. */
	readonly lines: string[];
	node: Node | null;
	failure: Error | null;
}

export interface Cluster {
	readonly clock: VirtualClock;
	readonly network: MemoryNetwork;
	readonly members: readonly Member[];
	readonly random: () => number;
	/** One more node, with an empty disk: it joins when it is added. */
	join(id: NodeId, kind?: "witness"): Promise<Member>;
	start(member: Member): Promise<void>;
	stop(member: Member): Promise<void>;
	/** The member that serves writes; the clock runs until there is one. */
	leader(): Promise<Member>;
}

export async function createCluster(options: {
	size: number;
	seed: number;
	settings?: Partial<NodeSettings>;
	settingsOf?: (id: NodeId) => Partial<NodeSettings>;
	notedIn?: NodeOptions["notedIn"];
}): Promise<Cluster> {
	const random = seeded(options.seed);
	const clock = createVirtualClock();
	const network = createMemoryNetwork(clock, random);
	const settings = { ...defaultNodeSettings, ...options.settings };
	const ids = Array.from({ length: options.size }, (_, number) => `n${number + 1}`);
	const bootstrap = initialConfiguration(ids.map((id) => ({ id, peer: `${id}:1` })));
	const create = (id: NodeId, isWitness = false): Member => ({
		id,
		isWitness,
		disk: createMemoryDisk(random),
		file: createDatabaseFile(),
		lines: [],
		node: null,
		failure: null,
	});
	const members: Member[] = ids.map((id) => create(id));

	async function start(member: Member): Promise<void> {
		const { id, disk, file } = member;
		const say = (_: unknown, line: string) => void member.lines.push(line);
		const witness = member.isWitness ? await openWitnessDatabase(disk) : null;
		const log = await openLog({
			disk,
			directory: "log",
			create: { clusterId: "c", nodeId: id, incarnation: "00".repeat(16) },
			bootstrap: ids.includes(id)
				? [{ index: 1, term: 1, kind: "configuration", payload: encodeConfiguration(bootstrap) }]
				: [],
			settings: { segmentBytes: settings.logSegmentBytes, cacheBytes: settings.logCacheBytes },
		});
		const node = await createNode({
			self: id,
			version: "0.0.0",
			url: `http://${id}`,
			bootstrap: ids.includes(id) ? bootstrap : noMembers,
			log,
			database: witness ?? openMemoryDatabase(file, disk),
			witness: member.isWitness,
			network: network.connect(id),
			clock,
			random: {
				below: (bound) => Math.floor(random() * bound),
				bytes: (length) => new Uint8Array(length),
			},
			disk,
			logger: { ...silentLogger, info: say, warn: say, error: say },
			settings: { ...settings, ...options.settingsOf?.(id) },
			mustRunAlone: (request) => request.interactive,
			notedIn: options.notedIn ?? (() => null),
		});
		member.node = node;
		void node.failed.then((error) => {
			member.failure = error;
		});
		await node.start();
	}

	async function join(id: NodeId, kind?: "witness"): Promise<Member> {
		const member = create(id, kind === "witness");
		members.push(member);
		await start(member);
		return member;
	}

	async function stop(member: Member): Promise<void> {
		const { node } = member;
		member.node = null;
		let isStopped = false;
		const stopping = node?.stop().then(() => {
			isStopped = true;
		});
		for (let turn = 0; turn < 200 && !isStopped && node !== null; turn++) await clock.run(10);
		if (node !== null && !isStopped) throw new Error(`${member.id} does not stop`);
		await stopping;
	}

	async function leader(): Promise<Member> {
		for (let turn = 0; turn < 1_000; turn++) {
			// A follower asks the leader: the clock must run for it.
			const views = members.map((member) =>
				watch(member.node?.service.cluster() ?? Promise.reject(new Error("not running"))),
			);
			await clock.run(20);
			for (const [number, member] of members.entries()) {
				const leads = views[number]?.value?.databases["default"]?.leader === member.id;
				if (leads && member.node?.service.readiness().ready) return member;
			}
		}
		throw new Error("no leader");
	}

	for (const member of members) await start(member);
	return { clock, network, members, random, join, start, stop, leader };
}

export function program(...texts: readonly (string | readonly [string, string])[]): Program {
	const steps = texts.map((text) => {
		const [sql, argument] = typeof text === "string" ? [text, null] : text;
		const statement: Statement = {
			sql,
			arguments: argument === null ? [] : [argument],
			namedArguments: [],
			wantRows: true,
		};
		return { condition: null, statement };
	});
	return { steps };
}

export function insert(value: string): readonly [string, string] {
	return ["INSERT INTO ledger VALUES (?)", value];
}

export const request: RequestOptions = {
	consistency: { level: "linearizable" },
	idempotencyKey: null,
	acknowledgement: null,
	timeoutMs: 10_000,
};

export function rowsOf(answer: Answer): string[] {
	return (answer.outcome.results.at(-1)?.rows ?? []).map((row) => String(row[0]));
}

/** How a promise ended, or that it has not. */
export interface Watched<T> {
	readonly value: T | null;
	readonly error: unknown;
	readonly settled: boolean;
}

export function watch<T>(promise: Promise<T>): Watched<T> {
	const seen: { value: T | null; error: unknown; settled: boolean } = {
		value: null,
		error: null,
		settled: false,
	};
	promise.then(
		(value) => {
			seen.value = value;
			seen.settled = true;
		},
		(error: unknown) => {
			seen.error = error;
			seen.settled = true;
		},
	);
	return seen;
}
