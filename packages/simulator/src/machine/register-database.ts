/**
 * The register machine as a node sees it: a Database whose work takes simulated time (work-queue.ts).
 */
import type { Database, DatabaseState, ReadTransaction } from "../../../skein/src/database/database.ts";
import type { Disk } from "../../../skein/src/world/disk.ts";
import type { Chance } from "../engine/chance.ts";
import { decodeContent, encodeContent, fingerprint } from "./register-content.ts";
import { checkpointOf, type RegisterFile, replaceContent } from "./register-file.ts";
import {
	createRegisterWriter,
	diskFull,
	type RegisterWriterSettings,
	runReadOnly,
} from "./register-writer.ts";
import { type After, createWorkQueue, type Device } from "./work-queue.ts";

export interface RegisterDatabaseOptions {
	readonly file: RegisterFile;
	readonly after: After;
	readonly chance: Chance;
	/** The node's, for snapshot files. */
	readonly disk: Disk;
	readonly device: Device | null;
	readonly settings: RegisterWriterSettings & {
		/** What a request costs the writer, on average. */
		readonly executeMs: number;
		readonly readMs: number;
	};
}

export function openRegisterDatabase(options: RegisterDatabaseOptions): Database {
	const { file, after, chance, disk, device, settings } = options;
	const writer = createRegisterWriter(file, settings);
	const queue = createWorkQueue({ after, chance, device });
	let snapshots = 0;
	/** Commits that were not copied back yet when each open read transaction began. */
	const readers = new Map<object, number>();

	const state = (): DatabaseState => ({
		applied: file.current.applied,
		configuration: file.current.configuration,
		acknowledgement: file.current.acknowledgement,
	});

	/** A failing write may have happened all the same. */
	function onDisk<T>(meanMs: number, work: () => T, isQuiet = false): Promise<T> {
		const carryOut = (): T => {
			if (device === null) return work();
			const isLate = chance.happens(0.5);
			if (!isLate) device.failIfTold();
			const value = work();
			if (isLate) device.failIfTold();
			return value;
		};
		return queue.onWriter(meanMs, carryOut, { isQuiet, onDisk: true });
	}

	function beginRead(): ReadTransaction {
		const registers = new Map(file.current.registers);
		const { applied } = file.current;
		const name = {};
		readers.set(name, applied.index);
		let began = false;
		return {
			applied,
			run: (program) =>
				queue.onReader(settings.readMs, () => {
					const ran = runReadOnly(program, registers, began);
					({ began } = ran);
					return ran.outcome;
				}),
			describe: () => Promise.reject(new Error("the register machine describes nothing")),
			async close() {
				readers.delete(name);
			},
		};
	}

	return {
		opened: state(),
		execute: (requests, behind) =>
			queue.onWriter(settings.executeMs * requests.length, () => writer.execute(requests, behind)),
		rollbackGroup: () => queue.onWriter(0.05, () => writer.rollbackGroup()),
		abandonInteractive: () => queue.onWriter(0.05, () => writer.abandonInteractive()),
		commit: (applied, configuration = null) =>
			onDisk(settings.executeMs, () => writer.commit(applied, configuration), true),
		hurry: () => queue.hurry(),
		rollback: () => queue.onWriter(0.05, () => writer.rollback()),
		apply: (entries) => onDisk(settings.executeMs, () => writer.apply(entries)),
		applied: () => queue.onWriter(0.05, () => file.current.applied),
		prepareToLead: () => queue.onWriter(1, () => writer.prepareToLead()),
		read: (program) =>
			queue.onReader(settings.readMs, () => {
				const { registers, applied } = file.current;
				return { outcome: runReadOnly(program, registers, false).outcome, applied, ranMs: 0 };
			}),
		beginRead: () => queue.onReader(settings.readMs, beginRead),
		describe: () => Promise.reject(new Error("the register machine describes nothing")),
		checkpoint() {
			device?.checkpointBegins();
			return queue.onWriter(
				chance.pick([1, 20]),
				() => {
					if (writer.isTransaction) throw new Error("a checkpoint inside a transaction");
					device?.failIfTold();
					if (file.full) throw diskFull();
					const oldest = Math.min(...readers.values());
					checkpointOf(file, file.since.filter(({ applied }) => applied.index > oldest).length);
					return file.durable.applied.index;
				},
				{ onDisk: true },
			);
		},
		format: async () => "row",
		explain: () => Promise.reject(new Error("the register machine explains nothing")),
		walBytes: () => file.sinceBytes,
		async createSnapshot() {
			const { bytes, applied, configuration } = await queue.onReader(settings.readMs, () => ({
				bytes: encodeContent(file.current),
				...state(),
			}));
			if (configuration === null) throw new Error("there is no configuration yet");
			const path = `snapshots/made-${snapshots++}`;
			await disk.makeDirectory("snapshots");
			const target = await disk.open(path, { create: true });
			try {
				await target.truncate(0);
				await target.write(0, [bytes]);
			} finally {
				await target.close();
			}
			return { path, applied, configuration, sizeBytes: bytes.length, sha256: fingerprint(bytes) };
		},
		async installSnapshot(path, sha256) {
			const source = await disk.open(path, { create: false });
			let bytes: Uint8Array;
			try {
				bytes = await source.read(0, await source.size());
			} finally {
				await source.close();
			}
			if (fingerprint(bytes) !== sha256) throw new Error("the snapshot is damaged");
			return await queue.onWriter(5, () => {
				if (file.full) throw diskFull();
				writer.rollback();
				replaceContent(file, decodeContent(bytes));
				return state();
			});
		},
		async close() {},
	};
}
