/** The writer on its thread. */
import { statSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { Position } from "../consensus/types.ts";
import { gateOfWriter, type Seat } from "./begin-gate.ts";
import { createLogFormats } from "./changes/formats.ts";
import { checkpointOn } from "./checkpoint.ts";
import type { AppliedEntry, DatabaseState } from "./database.ts";
import { type PackedRequest, type PackedWriteOutcome, packWriteOutcome, unpackRequest } from "./packing.ts";
import type { DatabaseSettings } from "./settings.ts";
import { serveCalls } from "./thread-calls.ts";
import { createWriter } from "./writer.ts";

export interface WriterThreadData {
	readonly path: string;
	readonly settings: DatabaseSettings;
	readonly gate: Seat["shared"];
}

function writerMethods({ path, settings, gate }: WriterThreadData) {
	const formats = createLogFormats(gateOfWriter(gate));
	const writer = createWriter({ path, formats, settings, now: () => performance.now() });
	return {
		state: () => writer.state,
		execute: (requests: readonly PackedRequest[], behind: boolean) =>
			writer.execute(requests.map(unpackRequest), behind).map(packWriteOutcome),
		rollbackGroup: () => writer.rollbackGroup(),
		abandonInteractive: () => writer.abandonInteractive(),
		commit: (applied: Position, configuration: DatabaseState["configuration"]) =>
			writer.commit(applied, configuration),
		rollback: () => writer.rollback(),
		apply: (entries: readonly AppliedEntry[]) => writer.apply(entries),
		applied: () => writer.applied(),
		prepareToLead: () => writer.prepareToLead(),
		checkpoint: () => checkpointOn(writer.connection()),
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
