/**
 * The register machine as a node sees it: a Database whose work takes simulated time. One writer that
 * does one thing after the other, as the writer thread does, and readers beside it. What takes time
 * happens in one moment in the middle of it, so a crash may come before, after, or when it is done and
 * nobody has heard of it.
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

/** The time of one life of the process: nothing of it happens once the life is over, or while it is paused. */
export type After = (delayMs: number, callback: () => void) => void;

export interface RegisterDatabaseOptions {
	readonly file: RegisterFile;
	readonly after: After;
	readonly chance: Chance;
	/** The node's, for snapshot files. */
	readonly disk: Disk;
	readonly settings: RegisterWriterSettings & {
		/** What a request costs the writer, on average. */
		readonly executeMs: number;
		readonly readMs: number;
	};
}

/** A commit that is done is told of by itself only after this long. */
const quietMs = 5;

export function openRegisterDatabase(options: RegisterDatabaseOptions): Database {
	const { file, after, chance, disk, settings } = options;
	const writer = createRegisterWriter(file, settings);
	const queue: (() => void)[] = [];
	/** What the caller has not heard yet of commits that are done. */
	const quiet: (() => void)[] = [];
	const answers: (() => void)[] = [];
	let busy = false;
	let hurried = false;
	let snapshots = 0;
	/** Commits that were not copied back yet when each open read transaction began. */
	const readers = new Map<object, number>();

	function next(): void {
		const first = queue.shift();
		if (first === undefined) busy = false;
		else first();
	}

	/** An answer travels back at once, or a little after the work was done. */
	function travel(settle: () => void): void {
		if (chance.happens(0.8)) settle();
		else after(chance.exponential(0.2), settle);
	}

	/** The writer's answers do not overtake each other. */
	function answer(settle: () => void): void {
		answers.push(settle);
		if (answers.length > 1) return;
		travel(() => {
			for (const one of answers.splice(0)) one();
		});
	}

	function onWriter<T>(meanMs: number, work: () => T, isQuiet = false): Promise<T> {
		return new Promise((resolve, reject) => {
			const begin = (): void =>
				after(chance.exponential(meanMs), () => {
					let settle: () => void;
					let failed = false;
					try {
						const value = work();
						settle = () => resolve(value);
					} catch (error) {
						failed = true;
						settle = () => reject(error);
					}
					if (isQuiet && !failed && !hurried) beQuiet(settle);
					else {
						const told = quiet.splice(0);
						answer(() => {
							for (const one of told) one();
							settle();
						});
					}
					hurried = false;
					next();
				});
			if (busy) queue.push(begin);
			else {
				busy = true;
				begin();
			}
		});
	}

	function beQuiet(settle: () => void): void {
		quiet.push(settle);
		after(quietMs, tellQuiet);
	}

	function tellQuiet(): void {
		for (const one of quiet.splice(0)) one();
	}

	function onReader<T>(work: () => T): Promise<T> {
		return new Promise((resolve, reject) => {
			after(chance.exponential(settings.readMs), () => {
				let settle: () => void;
				try {
					const value = work();
					settle = () => resolve(value);
				} catch (error) {
					settle = () => reject(error);
				}
				travel(settle);
			});
		});
	}

	const state = (): DatabaseState => ({
		applied: file.current.applied,
		configuration: file.current.configuration,
	});

	function beginRead(): ReadTransaction {
		const registers = new Map(file.current.registers);
		const { applied } = file.current;
		const name = {};
		readers.set(name, applied.index);
		let began = false;
		return {
			applied,
			run: (program) =>
				onReader(() => {
					const ran = runReadOnly(program, registers, began);
					({ began } = ran);
					return ran.outcome;
				}),
			async close() {
				readers.delete(name);
			},
		};
	}

	return {
		opened: state(),
		execute: (requests) => onWriter(settings.executeMs * requests.length, () => writer.execute(requests)),
		abandonInteractive: () => onWriter(0.05, () => writer.abandonInteractive()),
		commit: (applied) => onWriter(settings.executeMs, () => writer.commit(applied), true),
		hurry() {
			if (quiet.length === 0) hurried = busy;
			else tellQuiet();
		},
		rollback: () => onWriter(0.05, () => writer.rollback()),
		apply: (entries) => onWriter(settings.executeMs, () => writer.apply(entries)),
		prepareToLead: () => onWriter(1, () => writer.prepareToLead()),
		read: (program) => onReader(() => runReadOnly(program, file.current.registers, false).outcome),
		beginRead: () => onReader(beginRead),
		describe: () => Promise.reject(new Error("the register machine describes nothing")),
		checkpoint: () =>
			onWriter(chance.pick([1, 20]), () => {
				if (file.full) throw diskFull();
				const oldest = Math.min(...readers.values());
				checkpointOf(file, file.since.filter(({ applied }) => applied.index > oldest).length);
				return file.durable.applied.index;
			}),
		walBytes: () => file.sinceBytes,
		async createSnapshot() {
			const { bytes, applied, configuration } = await onReader(() => ({
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
			return await onWriter(5, () => {
				if (file.full) throw diskFull();
				writer.rollback();
				replaceContent(file, decodeContent(bytes));
				return state();
			});
		},
		async close() {},
	};
}
