/**
 * What a witness has in the place of a database: no rows, but how far the log is known to be committed, and the
 * configuration in force there, in one small file. The file is also the mark by which a machine knows for ever what it is
 * (docs/decisions/witness.md, rule 4), so it is made before the log is. What the leader sends in the place of a snapshot is such a file.
 *
 *   8 hexadecimal digits, the CRC-32 of the rest · a space · { applied, configuration: null | { index, bytes } } as JSON
 */
import { SkeinError } from "../../../client/src/errors.ts";
import { decodeConfiguration, encodeConfiguration } from "../consensus/configuration.ts";
import type { Disk, DiskFile } from "../world/disk.ts";
import type { Database, DatabaseState, SnapshotFile } from "./database.ts";
import { defaultLogFormat } from "./log-format.ts";

const path = "witness";
const newPath = "witness.new";
const snapshotDirectory = "snapshots";

/** Whether this directory is a witness's. */
export async function isWitnessDirectory(disk: Disk): Promise<boolean> {
	return (await disk.list("")).includes(path);
}

/** Makes the file where there is none: the caller knows that nothing else is there either. */
export async function openWitnessDatabase(disk: Disk): Promise<Database> {
	let state: DatabaseState = { applied: { index: 0, term: 0 }, configuration: null, acknowledgement: null };
	if (await isWitnessDirectory(disk)) state = await load(disk, path);
	else await store(disk, state);
	let durable = state;

	async function keep(next: DatabaseState): Promise<void> {
		if (next !== durable) await store(disk, next);
		durable = next;
	}

	return {
		opened: state,
		/** Nothing rests on it: after a crash the leader tells it again. */
		async apply(entries) {
			let { applied, configuration } = state;
			for (const entry of entries) {
				applied = entry.position;
				if (entry.configuration !== null)
					configuration = { index: entry.position.index, value: entry.configuration };
			}
			state = { applied, configuration, acknowledgement: null };
		},
		applied: async () => state.applied,
		async checkpoint() {
			await keep(state);
			return durable.applied.index;
		},
		async installSnapshot(from) {
			const next = await load(disk, from);
			await keep(next);
			state = next;
			return next;
		},
		walBytes: () => 0,
		format: async () => defaultLogFormat,
		hurry() {},
		async rollback() {},
		async close() {},
		execute: () => refuse(),
		rollbackGroup: () => refuse(),
		abandonInteractive: () => refuse(),
		commit: () => refuse(),
		prepareToLead: () => refuse(),
		read: () => refuse(),
		beginRead: () => refuse(),
		describe: () => refuse(),
		explain: () => refuse(),
		createSnapshot: () => refuse(),
	};
}

/** For a witness that is too far behind for the log of its leader, which makes it. */
export async function createWitnessSnapshot(
	disk: Disk,
	{ applied, configuration }: Pick<SnapshotFile, "applied" | "configuration">,
): Promise<SnapshotFile> {
	const bytes = encode(disk, { applied, configuration });
	// Nothing else is at one position, and what arrives is checked by its own checksum.
	const numbers = [applied.term, applied.index, disk.checksum(bytes)];
	const name = numbers.map((number) => number.toString(16).padStart(16, "0")).join("");
	const file = `${snapshotDirectory}/metadata-${name}`;
	await disk.makeDirectory(snapshotDirectory);
	await write(disk, file, async (target) => {
		await target.truncate(0);
		await target.write(0, [bytes]);
	});
	return { path: file, applied, configuration, sizeBytes: bytes.length, sha256: name.padStart(64, "0") };
}

async function load(disk: Disk, from: string): Promise<DatabaseState> {
	const file = await disk.open(from, { create: false });
	try {
		return decode(disk, await file.read(0, await file.size()), from);
	} finally {
		await file.close();
	}
}

async function store(disk: Disk, state: DatabaseState): Promise<void> {
	await disk.remove(newPath);
	await write(disk, newPath, async (file) => {
		await file.write(0, [encode(disk, state)]);
		await file.sync();
	});
	await disk.rename(newPath, path);
	await disk.syncDirectory("");
}

async function write(disk: Disk, at: string, work: (file: DiskFile) => Promise<void>): Promise<void> {
	const file = await disk.open(at, { create: true });
	try {
		await work(file);
	} finally {
		await file.close();
	}
}

function encode(
	disk: Disk,
	{ applied, configuration }: Pick<DatabaseState, "applied" | "configuration">,
): Uint8Array {
	const stored =
		configuration === null
			? null
			: { index: configuration.index, bytes: [...encodeConfiguration(configuration.value)] };
	const text = new TextEncoder().encode(JSON.stringify({ applied, configuration: stored }));
	return new TextEncoder().encode(`${checksumOf(disk, text)} ${new TextDecoder().decode(text)}`);
}

function decode(disk: Disk, bytes: Uint8Array, from: string): DatabaseState {
	const checksum = new TextDecoder().decode(bytes.subarray(0, 8));
	const text = bytes.subarray(9);
	if (checksumOf(disk, text) !== checksum) throw new Error(`the file ${from} is damaged`);
	// Our own code wrote it, as the checksum says.
	const { applied, configuration } = JSON.parse(new TextDecoder().decode(text)) as {
		applied: DatabaseState["applied"];
		configuration: { index: number; bytes: number[] } | null;
	};
	// Of writes a witness answers none, in whatever mode.
	const acknowledgement = null;
	if (configuration === null) return { applied, configuration, acknowledgement };
	const value = decodeConfiguration(Uint8Array.from(configuration.bytes));
	return { applied, configuration: { index: configuration.index, value }, acknowledgement };
}

function checksumOf(disk: Disk, bytes: Uint8Array): string {
	return disk.checksum(bytes).toString(16).padStart(8, "0");
}

function refuse(): Promise<never> {
	return Promise.reject(new SkeinError("a witness holds no data: ask another node", { code: "WITNESS" }));
}
