/** Starts a real node: opens its data, its connections and its port, and stops them in the right order. */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { connect } from "../../../client/src/index.ts";
import { createApi } from "../api/server.ts";
import { encodeConfiguration, initialConfiguration, noMembers } from "../consensus/configuration.ts";
import type { Configuration, Entry, Member, NodeId } from "../consensus/types.ts";
import { notedTransaction } from "../database/changes/noted-transaction.ts";
import { mustRunAlone, openDatabase } from "../database/threaded-database.ts";
import { isWitnessDirectory, openWitnessDatabase } from "../database/witness-database.ts";
import { isLogAbsent } from "../log/create-log.ts";
import type { Identity, Log } from "../log/log.ts";
import { openLog } from "../log/segmented-log.ts";
import { afterFirstMeeting } from "../node/first-meeting.ts";
import { createIncarnations } from "../node/incarnations.ts";
import { createNode, defaultGroup } from "../node/node.ts";
import {
	givenUp,
	type Recovery,
	readRecovered,
	refuseUnfit,
	supersededText,
	writeSuperseded,
} from "../node/recover/recovery-files.ts";
import type { Service } from "../node/service.ts";
import { defaultNodeSettings, type NodeSettings } from "../node/settings.ts";
import { peerAddress } from "../peer/peer-address.ts";
import { createTcpNetwork } from "../peer/tcp-network.ts";
import { lockDataDirectory } from "../world/data-directory-lock.ts";
import type { Disk } from "../world/disk.ts";
import { createFileDisk } from "../world/file-disk.ts";
import type { Logger } from "../world/logger.ts";
import type { WireVersions } from "../world/network.ts";
import { createSystemClock } from "../world/system-clock.ts";
import { createSystemRandom } from "../world/system-random.ts";
import { type JoinKind, keepJoining, lookForCluster } from "./join.ts";

export interface HostPort {
	readonly host: string;
	readonly port: number;
}

export interface NodeConfiguration {
	readonly id: NodeId;
	readonly version: string;
	readonly dataDirectory: string;
	/** Where clients reach this node; port 0 takes any free one. */
	readonly listen: HostPort;
	/** Where the other nodes reach it. */
	readonly peer: HostPort;
	/** All members, this node among them, with HOST:PORT as the others reach them. Of one that joins: only itself. */
	readonly cluster: readonly Member[];
	/** URLs of nodes of the cluster that this one joins; null: it is one of the first. */
	readonly join: { readonly urls: readonly string[]; readonly as: JoinKind } | null;
	/** Null: drawn from the members' names and addresses, so that all of them agree on it. */
	readonly clusterId: string | null;
	readonly secret: string | null;
	/** How clients reach this node, if not at `listen`. */
	readonly advertiseUrl: string | null;
	readonly logger: Logger;
	readonly settings?: Partial<NodeSettings>;
	/** For tests at the world's interfaces: wraps the node's disk. */
	readonly wrapDisk?: (disk: Disk) => Disk;
	/** For tests: as a program that understands these versions of messages between nodes would. */
	readonly wire?: WireVersions;
}

export interface RunningNode {
	readonly service: Service;
	readonly url: string;
	/** Hands leadership over, finishes what is in flight, closes everything. */
	stop(): Promise<void>;
	/** Resolves with the reason when the node had to stop by itself. */
	readonly failed: Promise<Error>;
	/** Database threads inside a statement that does not end: `process.exit` would wait for them. */
	stuckThreads(): number;
}

export async function startNode(configuration: NodeConfiguration): Promise<RunningNode> {
	const { id, dataDirectory, logger } = configuration;
	const settings: NodeSettings = { ...defaultNodeSettings, ...configuration.settings };
	const undo: (() => Promise<void>)[] = [];
	let resolveFailed: (error: Error) => void = () => {};
	/** Said on every lane, written once. */
	let isSuperseded = false;
	const partFailed = new Promise<Error>((resolve) => {
		resolveFailed = resolve;
	});
	try {
		mkdirSync(dataDirectory, { recursive: true });
		const lock = await lockDataDirectory(dataDirectory);
		undo.push(async () => lock.release());
		const clock = createSystemClock();
		const random = createSystemRandom();
		const realDisk = createFileDisk(dataDirectory);
		const disk = configuration.wrapDisk?.(realDisk) ?? realDisk;
		await refuseUnfit(disk, dataDirectory, id);
		const recovered = await readRecovered(disk);
		const client = configuration.join === null ? null : connect(configuration.join.urls);
		const isWitness = configuration.join?.as === "witness";
		await refuseOtherKind(disk, isWitness);
		const isNew = client !== null && (await isLogAbsent(disk, "log"));
		// A node that joined before knows all that it needs, also when nobody answers there now.
		const joined = client !== null && isNew ? await lookForCluster(client) : null;
		const bootstrap = client === null ? initialConfiguration(configuration.cluster) : noMembers;
		const identity: Identity = {
			clusterId: recoveredAs(
				recovered,
				joined?.clusterId ?? configuration.clusterId ?? derivedClusterId(bootstrap),
			),
			nodeId: id,
			incarnation: Buffer.from(random.bytes(16)).toString("hex"),
		};
		// Before the log: it is also the mark of what this directory is.
		const witness = isWitness ? await openWitnessDatabase(disk) : null;
		const log = await openLog({
			disk,
			directory: "log",
			create: client !== null && !isNew ? null : identity,
			bootstrap: client === null ? firstEntries(bootstrap) : [],
			settings: { segmentBytes: settings.logSegmentBytes, cacheBytes: settings.logCacheBytes },
		});
		undo.push(() => log.close());
		refuseOther(log.recovered.identity, id);
		sayWhatWasFound(log, logger);
		const threads =
			witness === null
				? await openDatabase({
						directory: dataDirectory,
						onFailure: (error) => resolveFailed(error),
						settings: { readers: settings.readers, maxTransactionBytes: settings.maxTransactionBytes },
					})
				: null;
		const database = threads ?? witness;
		if (database === null) throw new Error("a node without a database");
		undo.push(() => database.close());
		const incarnations = await createIncarnations(disk, logger);
		const network = createTcpNetwork({
			identity: log.recovered.identity,
			version: configuration.version,
			listen: configuration.peer,
			peers: [...configuration.cluster, ...(joined?.members ?? [])]
				.filter((member) => member.id !== id)
				.map(peerAddress),
			secret: configuration.secret,
			...(configuration.wire === undefined ? {} : { wire: configuration.wire }),
			clock,
			random,
			log: logger,
			onIncarnation: incarnations.accepts,
			recoveredFrom: givenUp(recovered),
			onSuperseded: (by) => {
				if (isSuperseded) return;
				isSuperseded = true;
				const error = new Error(supersededText(id, by));
				// Durable first: whoever starts it again hears it at once, also where nobody of the new cluster can be reached.
				void writeSuperseded(disk, { by }).then(() => resolveFailed(error), resolveFailed);
			},
		});
		const url = configuration.advertiseUrl ?? formatUrl(reachableAt(configuration));
		const node = await createNode({
			self: id,
			version: configuration.version,
			url,
			bootstrap,
			log,
			database,
			witness: isWitness,
			network: afterFirstMeeting(network, {
				self: id,
				group: defaultGroup,
				recovered: log.recovered,
				others: othersOf(bootstrap, id),
				clock,
				logger,
			}),
			clock,
			random,
			disk,
			logger,
			settings,
			mustRunAlone,
			notedIn: notedTransaction,
		});
		const api = createApi({
			service: node.service,
			version: configuration.version,
			clock,
			random,
			logger,
			advertisedUrl: configuration.advertiseUrl,
			limits: { requestTimeoutMs: settings.statementTimeoutMs },
		});
		// The port for clients first: if it is taken, nothing was started that others could see.
		await api.listen(configuration.listen);
		undo.push(() => api.close());
		await node.start();
		undo.length = 0;
		const stopJoining =
			client === null || configuration.join === null
				? () => {}
				: keepJoining({
						client,
						self: id,
						peer: configuration.cluster.find((member) => member.id === id)?.peer ?? "",
						as: configuration.join.as,
						isMember: () => node.core.configuration.members.length > 0,
						meet: (members) => network.meet(members),
						clock,
						logger,
					});
		return {
			service: node.service,
			url,
			failed: Promise.race([node.failed, partFailed]),
			stuckThreads: () => threads?.stuckThreads() ?? 0,
			async stop() {
				stopJoining();
				await node.handOver();
				await api.close();
				await node.stop();
				lock.release();
			},
		};
	} catch (error) {
		for (const step of undo.reverse()) await step().catch(() => {});
		throw error;
	}
}

function firstEntries(bootstrap: Configuration): Entry[] {
	return [{ index: 1, term: 1, kind: "configuration", payload: encodeConfiguration(bootstrap) }];
}

/** Whoever starts a recovered node as before names the cluster that was given up. */
function recoveredAs(recovered: Recovery | null, asked: string): string {
	return recovered !== null && givenUp(recovered).includes(asked) ? recovered.to : asked;
}

/** Once a witness, always a witness, and nothing else becomes one: docs/decisions/witness.md, rule 4. */
async function refuseOtherKind(disk: Disk, isWitness: boolean): Promise<void> {
	const wasWitness = await isWitnessDirectory(disk);
	if (wasWitness && !isWitness)
		throw new Error(
			"the data directory is a witness's, which has no data: start it with --witness, or with another directory and under another id",
		);
	if (!wasWitness && isWitness && !(await isLogAbsent(disk, "log")))
		throw new Error(
			"the data directory is that of a node with data: a witness needs an empty one, and an id that was never used",
		);
}

function refuseOther({ nodeId }: Identity, id: NodeId): void {
	if (nodeId !== id) throw new Error(`the data directory belongs to node ${nodeId}, not to node ${id}`);
}

function othersOf({ members }: Configuration, id: NodeId): NodeId[] {
	return members.map((member) => member.id).filter((other) => other !== id);
}

function derivedClusterId(configuration: Configuration): string {
	const names = configuration.members.map(({ id, peer }) => `${id}=${peer}`).join(",");
	return createHash("sha256").update(names).digest("hex").slice(0, 32);
}

const everyAddress: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]", ""]);

/** Who listens on every address is told to others under the one at which they reach its peer port. */
function reachableAt({ listen, cluster, id }: NodeConfiguration): HostPort {
	const own = cluster.find((member) => member.id === id);
	if (!everyAddress.has(listen.host) || own === undefined) return listen;
	return { host: peerAddress(own).host, port: listen.port };
}

function formatUrl({ host, port }: HostPort): string {
	return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function sayWhatWasFound(log: Log, logger: Logger): void {
	const { identity, promise, base, headers, tornBytes } = log.recovered;
	logger.info(
		{ cluster: identity.clusterId, term: promise.term, base: base.index, entries: headers.length },
		"log opened",
	);
	if (tornBytes > 0)
		logger.warn(
			{ tornBytes },
			"the last write before the crash was torn; it was never acknowledged, and is cut",
		);
}
