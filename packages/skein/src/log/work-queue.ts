/**
 * Carries out the log's changes strictly in the order in which they came. All appends that gather
 * while one sync runs share the next write and sync (group commit); promises that gather share one,
 * the newest; a change of kind begins a new group, so that nothing becomes durable before what came
 * before it. A failure is final for the whole log; a full disk is not (DESIGN.md, "When the disk is full").
 */
import type { Entry, LogIndex, Position, VotePromise } from "../consensus/types.ts";
import { isDiskFull } from "../world/disk.ts";
import { LogFailedError } from "./errors.ts";
import type { StateFile } from "./state-file.ts";
import type { Storage } from "./storage.ts";

export type Change =
	| { readonly type: "append"; readonly truncateFrom: LogIndex | null; readonly entries: readonly Entry[] }
	| { readonly type: "promise"; readonly promise: VotePromise }
	| { readonly type: "reset"; readonly base: Position };

interface Work {
	readonly change: Change;
	readonly resolve: () => void;
	readonly reject: (error: unknown) => void;
}

export interface WorkQueue {
	add(change: Change): Promise<void>;
	/** The first index that some waiting change writes or cuts; Infinity if none does. */
	readonly firstUnwritten: LogIndex;
	readonly failure: LogFailedError | null;
	/** Makes every later call reject. */
	fail(error: unknown): LogFailedError;
	/** Resolves when everything that was added is done or refused. */
	idle(): Promise<void>;
}

export interface WorkQueueOptions {
	readonly storage: Storage;
	readonly stateFile: StateFile;
	/** Some changes are done or refused: what is in memory must follow. */
	readonly onProgress: (refused: boolean) => void;
}

export function createWorkQueue({ storage, stateFile, onProgress }: WorkQueueOptions): WorkQueue {
	let waiting: Work[] = [];
	let running: readonly Work[] = [];
	let loop: Promise<void> | null = null;

	async function run(): Promise<void> {
		while (waiting.length > 0) {
			const group = takeGroup(waiting);
			waiting = waiting.slice(group.length);
			running = group;
			let tell = () => {
				for (const work of group) work.resolve();
			};
			try {
				await carryOut(group);
			} catch (error) {
				tell = refuse(group, error);
			}
			running = [];
			// Before those who asked hear of it: what they ask next must find it so.
			queue.firstUnwritten = Number.POSITIVE_INFINITY;
			for (const work of waiting)
				queue.firstUnwritten = Math.min(queue.firstUnwritten, firstTouched(work.change));
			onProgress(false);
			tell();
		}
		loop = null;
	}

	async function carryOut(group: readonly Work[]): Promise<void> {
		const change = group.at(-1)?.change;
		switch (change?.type) {
			case "append":
				return await append(group);
			case "promise":
				await stateFile.write(change.promise);
				break;
			case "reset":
				await storage.reset(change.base);
				break;
			case undefined:
				return;
			default: {
				const never: never = change;
				throw new Error(`unknown change ${JSON.stringify(never)}`);
			}
		}
	}

	async function append(group: readonly Work[]): Promise<void> {
		const entries: Entry[] = [];
		let truncateFrom: LogIndex | null = null;
		for (const { change } of group) {
			if (change.type !== "append") throw new Error("a group of mixed changes");
			truncateFrom ??= change.truncateFrom;
			for (const entry of change.entries) entries.push(entry);
		}
		// Only the first of a group cuts, see takeGroup.
		if (truncateFrom !== null) await storage.cut(truncateFrom);
		let done = 0;
		try {
			while (done < entries.length) done += await storage.write(done === 0 ? entries : entries.slice(done));
			if (entries.length > 0) await storage.sync();
		} catch (error) {
			// Part of it may be on disk, whole entries even. Nobody was told; it must never count.
			if (isDiskFull(error)) await storage.undo(entries[0]?.index ?? 0);
			throw error;
		}
		storage.prepareNext();
	}

	/** Nothing behind a refused change is carried out: it may build on it. What is returned says so. */
	function refuse(group: readonly Work[], error: unknown): () => void {
		const reason = isDiskFull(error) ? error : fail(error);
		const all = [...group, ...waiting];
		waiting = [];
		onProgress(true);
		return () => {
			for (const work of all) work.reject(reason);
		};
	}

	function fail(error: unknown): LogFailedError {
		queue.failure ??=
			error instanceof LogFailedError
				? error
				: new LogFailedError("the disk failed under the log", { cause: error });
		return queue.failure;
	}

	const queue: WorkQueue & { firstUnwritten: LogIndex; failure: LogFailedError | null } = {
		add(change) {
			if (queue.failure !== null) return Promise.reject(queue.failure);
			queue.firstUnwritten = Math.min(queue.firstUnwritten, firstTouched(change));
			return new Promise((resolve, reject) => {
				waiting.push({ change, resolve, reject });
				// Not at once: whatever the caller adds in this turn goes into the same group.
				loop ??= Promise.resolve().then(run);
			});
		},
		firstUnwritten: Number.POSITIVE_INFINITY,
		failure: null,
		fail,
		async idle() {
			while (loop !== null || running.length > 0) await loop;
		},
	};
	return queue;
}

function firstTouched(change: Change): LogIndex {
	if (change.type !== "append") return Number.POSITIVE_INFINITY;
	return change.truncateFrom ?? change.entries[0]?.index ?? Number.POSITIVE_INFINITY;
}

/** How much one sync takes along at most: what comes last must not wait for ever. */
const maxGroupBytes = 8 * 1024 * 1024;

/** The longest run from the front that one write and sync can make durable together. */
function takeGroup(waiting: readonly Work[]): Work[] {
	const group: Work[] = [];
	let sizeBytes = 0;
	for (const work of waiting) {
		const { change } = work;
		const first = group[0]?.change;
		if (first !== undefined) {
			if (first.type !== change.type || change.type === "reset") break;
			// A cut is synced before what replaces it is written: it cannot share what came before.
			if (change.type === "append" && (change.truncateFrom !== null || sizeBytes > maxGroupBytes)) break;
		}
		if (change.type === "append") for (const entry of change.entries) sizeBytes += entry.payload.length;
		group.push(work);
	}
	return group;
}
