/** The writer on its thread. The checkpoint waits until no transaction is open: SQLite refuses it inside one. */
import { statSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { Position } from "../consensus/types.ts";
import { createLogFormats } from "./changes/formats.ts";
import { type CheckpointResult, checkpointOn } from "./checkpoint.ts";
import type { AppliedEntry } from "./database.ts";
import { type PackedRequest, type PackedWriteOutcome, packWriteOutcome, unpackRequest } from "./packing.ts";
import type { DatabaseSettings } from "./settings.ts";
import { serveCalls } from "./thread-calls.ts";
import { createWriter } from "./writer.ts";

export interface WriterThreadData {
	readonly path: string;
	readonly settings: DatabaseSettings;
}

function writerMethods({ path, settings }: WriterThreadData) {
	const writer = createWriter({ path, formats: createLogFormats(), settings, now: () => performance.now() });
	let waiting: { resolve: (result: CheckpointResult) => void; reject: (error: unknown) => void }[] = [];

	function whenFree(): void {
		if (waiting.length === 0 || writer.connection().isTransaction) return;
		const callers = waiting;
		waiting = [];
		try {
			const result = checkpointOn(writer.connection());
			for (const caller of callers) caller.resolve(result);
		} catch (error) {
			// Not a word to the commit before it: that has happened.
			for (const caller of callers) caller.reject(error);
		}
	}

	function then<T>(value: T): T {
		whenFree();
		return value;
	}

	return {
		state: () => writer.state,
		execute: (requests: readonly PackedRequest[]) =>
			writer.execute(requests.map(unpackRequest)).map(packWriteOutcome),
		abandonInteractive: () => writer.abandonInteractive(),
		commit: (applied: Position) => then(writer.commit(applied)),
		rollback: () => then(writer.rollback()),
		apply: (entries: readonly AppliedEntry[]) => then(writer.apply(entries)),
		applied: () => writer.applied(),
		prepareToLead: () => writer.prepareToLead(),
		checkpoint: () =>
			new Promise<CheckpointResult>((resolve, reject) => {
				waiting.push({ resolve, reject });
				whenFree();
			}),
		walBytes: () => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0,
		close: () => writer.close(),
	};
}

if (parentPort !== null) {
	serveCalls(parentPort, writerMethods(workerData as WriterThreadData), buffersOf);
}

/** Payloads are handed over, not copied: a large transaction's is as large as what it changed. */
function buffersOf(value: unknown): ArrayBuffer[] {
	if (!Array.isArray(value)) return [];
	const buffers: ArrayBuffer[] = [];
	for (const [, payload] of value as readonly PackedWriteOutcome[]) {
		if (payload === null || payload.byteLength !== payload.buffer.byteLength) continue;
		if (payload.length > 16_384 && payload.buffer instanceof ArrayBuffer) buffers.push(payload.buffer);
	}
	return buffers;
}
