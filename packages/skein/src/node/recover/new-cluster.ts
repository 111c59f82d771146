/**
 * The steps from a survivor's data directory to the first member of a new cluster (docs/decisions/recover.md has
 * them as a table, and what a crash in each does). Which one is next is read from the disk, so all may be done again.
 */
import {
	encodeConfiguration,
	initialConfiguration,
	maxRetired,
	noMembers,
} from "../../consensus/configuration.ts";
import type { Configuration, Entry, Term } from "../../consensus/types.ts";
import type { DatabaseState } from "../../database/database.ts";
import { isLogAbsent } from "../../log/create-log.ts";
import type { Identity, Log } from "../../log/log.ts";
import { type LogSettings, openLog } from "../../log/segmented-log.ts";
import type { Disk } from "../../world/disk.ts";
import type { Random } from "../../world/random.ts";
import { coreState, type RecoveredCore } from "../recovery.ts";
import { type Recovery, recoveredName, recoveringName, writeRecovering } from "./recovery-files.ts";
import { type Survivor, survivorOf } from "./survivor.ts";

const draftName = "log.recovered";
const copyBytes = 4 * 1024 * 1024;
/** The new term is ahead of the last by so much, and by chance up to twice that: no position means two things. */
const termLeap = 2 ** 20;

export interface OfflineNode {
	readonly disk: Disk;
	/** What its database says of itself. */
	readonly opened: DatabaseState;
	/** Of the logs that are opened and made. */
	readonly logSettings?: Partial<LogSettings>;
}

/** What a stopped node holds, without changing more of it than a start would. */
export async function inspect(node: OfflineNode): Promise<Survivor> {
	return await withLog(node, null, async (log) =>
		survivorOf(log.recovered.identity, await stateOf(log, node.opened)),
	);
}

/** The decision; from then on the directory belongs to the new cluster, and `finishRecovery` may be repeated until it is done. */
export async function beginRecovery(options: {
	readonly disk: Disk;
	readonly random: Random;
	readonly survivor: Survivor;
	readonly peer: string;
	readonly before: readonly string[];
}): Promise<Recovery> {
	const { disk, random, survivor, peer, before } = options;
	const hexadecimal = (): string =>
		[...random.bytes(16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
	const recovery: Recovery = {
		node: survivor.identity.nodeId,
		from: survivor.identity.clusterId,
		to: hexadecimal(),
		incarnation: hexadecimal(),
		peer,
		last: survivor.last,
		term: Math.max(survivor.promise.term, survivor.last.term) + termLeap + random.below(termLeap),
		before,
	};
	await writeRecovering(disk, recovery);
	return recovery;
}

export async function finishRecovery(node: OfflineNode, recovery: Recovery): Promise<void> {
	const { disk } = node;
	// A killed process may have left names in memory only.
	await disk.syncDirectory("");
	if (await isLogAbsent(disk, "log")) await moveDirectory(disk, draftName, "log");
	else if ((await clusterOfLog(node)) === recovery.from) {
		await makeDraft(node, recovery);
		await moveDirectory(disk, "log", oldLogName(recovery));
		await moveDirectory(disk, draftName, "log");
	}
	await disk.rename(recoveringName, recoveredName);
	await disk.syncDirectory("");
}

export const oldLogName = ({ to }: Recovery): string => `log.before-${to}`;

async function moveDirectory(disk: Disk, from: string, to: string): Promise<void> {
	await disk.rename(from, to);
	await disk.syncDirectory("");
}

async function clusterOfLog(node: OfflineNode): Promise<string> {
	return await withLog(node, null, async (log) => log.recovered.identity.clusterId);
}

async function makeDraft(node: OfflineNode, recovery: Recovery): Promise<void> {
	const { disk, opened } = node;
	for (const directory of [draftName, `${draftName}.new`]) {
		const names = await disk.list(directory);
		for (const name of names) await disk.remove(`${directory}/${name}`);
		// Else what is made there next could lose these names instead.
		if (names.length > 0) await disk.syncDirectory(directory);
	}
	await withLog(node, null, async (old) => {
		const state = await stateOf(old, opened);
		const identity: Identity = {
			clusterId: recovery.to,
			nodeId: recovery.node,
			incarnation: recovery.incarnation,
		};
		await withLog(node, { directory: draftName, identity }, async (draft) => {
			if (state.base.index > 0) await draft.reset(state.base);
			await copyEntries(old, draft, state.base.index + 1, recovery.last.index);
			const configuration = newConfiguration(newest(state), recovery);
			await draft.writePromise({ term: recovery.term, votedFor: recovery.node });
			await draft.append({ truncateFrom: null, entries: firstEntries(recovery, configuration) });
		});
	});
}

async function copyEntries(from: Log, to: Log, first: number, last: number): Promise<void> {
	let next = first;
	while (next <= last) {
		const entries = await from.read(next, last, copyBytes);
		await to.append({ truncateFrom: null, entries });
		next += entries.length;
	}
}

/** As if this member had led that term: a barrier, then what it does first. */
function firstEntries(
	{ last, term }: { last: { index: number }; term: Term },
	configuration: Configuration,
): Entry[] {
	const payload = encodeConfiguration(configuration);
	return [
		{ index: last.index + 1, term, kind: "barrier", payload: new Uint8Array(0) },
		{ index: last.index + 2, term, kind: "configuration", payload },
	];
}

/** This member alone; the ids of all others are used up. What was chosen for the cluster stays chosen, as the settings in the database do. */
function newConfiguration(old: Configuration, { node, peer }: Recovery): Configuration {
	const others = old.members.map(({ id }) => id).filter((id) => id !== node);
	const retired = [...new Set([...old.retired, ...others])].slice(-maxRetired);
	const alone = { ...initialConfiguration([{ id: node, peer }]), retired };
	return old.elector === undefined ? alone : { ...alone, elector: old.elector };
}

function newest({ configuration, configurations }: RecoveredCore): Configuration {
	return configurations.at(-1)?.value ?? configuration.value;
}

async function stateOf(log: Log, opened: DatabaseState): Promise<RecoveredCore> {
	return await coreState({ log, database: { opened }, bootstrap: noMembers });
}

async function withLog<T>(
	{ disk, logSettings = {} }: OfflineNode,
	create: { readonly directory: string; readonly identity: Identity } | null,
	work: (log: Log) => Promise<T>,
): Promise<T> {
	const log = await openLog({
		disk,
		directory: create?.directory ?? "log",
		create: create?.identity ?? null,
		settings: logSettings,
	});
	try {
		return await work(log);
	} finally {
		await log.close();
	}
}
