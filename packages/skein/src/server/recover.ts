/** `skein recover` on real directories: looks at the survivors, and makes the new cluster when the sentence is given. */
import { existsSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { connect } from "../../../client/src/index.ts";
import type { NodeId } from "../consensus/types.ts";
import type { DatabaseState } from "../database/database.ts";
import { openDatabase } from "../database/threaded-database.ts";
import { isWitnessDirectory, openWitnessDatabase } from "../database/witness-database.ts";
import { isLogAbsent } from "../log/create-log.ts";
import { beginRecovery, finishRecovery, inspect, oldLogName } from "../node/recover/new-cluster.ts";
import {
	givenUp,
	type Recovery,
	readRecovered,
	readRecovering,
	refuseUnfit,
} from "../node/recover/recovery-files.ts";
import { mustBeConfirmed, planRecovery, type RecoveryPlan } from "../node/recover/recovery-plan.ts";
import { membersOf, type OtherSurvivor, type Survivor } from "../node/recover/survivor.ts";
import { defaultNodeSettings } from "../node/settings.ts";
import { peerAddress } from "../peer/peer-address.ts";
import { lockDataDirectory } from "../world/data-directory-lock.ts";
import type { Disk } from "../world/disk.ts";
import { createFileDisk } from "../world/file-disk.ts";
import { createSystemRandom } from "../world/system-random.ts";

const probeMs = 1_000;

export interface RecoverRequest {
	readonly dataDirectory: string;
	/** Directories or URLs of other survivors, to find the best. */
	readonly survivors: readonly string[];
	/** Where others will reach this node; null: where they did. */
	readonly peer: string | null;
	readonly confirm: string | null;
	readonly dryRun: boolean;
}

export interface RecoverAnswer {
	/** Null: one that was begun before was finished. */
	readonly plan: RecoveryPlan | null;
	/** Null: a dry run. */
	readonly recovery: Recovery | null;
	readonly oldLog: string | null;
}

export async function recoverCluster(request: RecoverRequest): Promise<RecoverAnswer> {
	return await withStoppedNode(request.dataDirectory, async (node) => {
		const { disk } = node;
		if (await isWitnessDirectory(disk))
			throw new Error(
				`${request.dataDirectory} is a witness's, which holds no data: a cluster is recovered from a member that does`,
			);
		const begun = await readRecovering(disk);
		if (begun !== null) {
			if (!request.dryRun) await finishRecovery(node, begun);
			return { plan: null, recovery: begun, oldLog: oldLogName(begun) };
		}
		await refuseUnfit(disk, request.dataDirectory, "this node");
		const survivor = await inspect(node);
		const others: OtherSurvivor[] = [];
		for (const at of request.survivors) others.push(await lookAt(at));
		const plan = planRecovery(survivor, others, await whoAnswers(survivor));
		if (request.dryRun) return { plan, recovery: null, oldLog: null };
		mustBeConfirmed(plan, request.confirm);
		const recovery = await beginRecovery({
			disk,
			random: createSystemRandom(),
			survivor,
			peer: request.peer ?? ownPeer(survivor),
			before: givenUp(await readRecovered(disk)),
		});
		await finishRecovery(node, recovery);
		return { plan, recovery, oldLog: oldLogName(recovery) };
	});
}

async function withStoppedNode<T>(
	directory: string,
	work: (node: { disk: Disk; opened: DatabaseState }) => Promise<T>,
): Promise<T> {
	if (!existsSync(directory)) throw new Error(`there is no directory ${directory}`);
	const disk = createFileDisk(directory);
	// Before the lock, which is a file: nothing is made in a directory that is no node's.
	const isNode = !(await isLogAbsent(disk, "log")) || (await readRecovering(disk)) !== null;
	if (!isNode) throw new Error(`${directory} is no data directory of a node: it holds no log`);
	const lock = await lockDataDirectory(directory);
	try {
		const { readers, maxTransactionBytes } = defaultNodeSettings;
		const settings = { readers, maxTransactionBytes };
		// Nothing of a database is made in a witness's directory.
		const database = (await isWitnessDirectory(disk))
			? await openWitnessDatabase(disk)
			: await openDatabase({ directory, onFailure: () => {}, settings });
		try {
			return await work({ disk, opened: database.opened });
		} finally {
			await database.close();
		}
	} finally {
		lock.release();
	}
}

/** A stopped node by its directory, one that runs by its URL. */
async function lookAt(at: string): Promise<OtherSurvivor> {
	if (/^https?:\/\//.test(at)) return await askNode(at);
	return await withStoppedNode(at, async (node) => {
		const { identity, last } = await inspect(node);
		return { at, clusterId: identity.clusterId, node: identity.nodeId, last };
	});
}

async function askNode(at: string): Promise<OtherSurvivor> {
	const { cluster, node, databases } = (await connect(at).call("GET", "cluster")) as {
		cluster?: unknown;
		node?: unknown;
		databases?: {
			default?: { members?: Record<NodeId, { last?: { term?: unknown; index?: unknown } | null }> };
		};
	};
	const last = databases?.default?.members?.[String(node)]?.last;
	if (typeof node !== "string" || last === undefined || last === null) {
		throw new Error(`${at} does not say where its log ends: stop it, and give its data directory`);
	}
	const [term, index] = [Number(last.term), Number(last.index)];
	return { at, clusterId: String(cluster), node, last: { term, index } };
}

function ownPeer(survivor: Survivor): string {
	const own = membersOf(survivor).find(({ id }) => id === survivor.identity.nodeId);
	if (own === undefined) throw new Error("a survivor that is no member");
	return own.peer;
}

async function whoAnswers(survivor: Survivor): Promise<NodeId[]> {
	const others = membersOf(survivor).filter(({ id }) => id !== survivor.identity.nodeId);
	const found = await Promise.all(
		others.map(async (member) => ((await takesConnections(peerAddress(member))) ? member.id : null)),
	);
	return found.filter((id) => id !== null);
}

function takesConnections({ host, port }: { host: string; port: number }): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connectSocket({ host, port });
		const end = (answers: boolean): void => {
			socket.destroy();
			resolve(answers);
		};
		socket.setTimeout(probeMs, () => end(false));
		socket.on("connect", () => end(true));
		socket.on("error", () => end(false));
	});
}
