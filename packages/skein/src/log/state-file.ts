/**
 * Identity, term and vote: one record in a small file of two slots. A change is written and synced to
 * one slot, then to the other: a crash tears one at most, and damage to one never brings an older
 * promise back (that would be a second vote in one term). Each write of a slot has a number of its own, so
 * that a start knows which one was written last, and may be in the page cache only. Slot, 4096 bytes each,
 * little endian:
 *
 *    0 "SKST" · 4 u32 CRC-32 of bytes 8 … 4096 · 8 u32 version 1 · 12 u32 zero · 16 u64 sequence ·
 *   24 u64 term · 32 four strings: cluster id, node id, incarnation, voted for; each a u16 count of
 *      bytes (0xffff: none) and UTF-8 · zeros
 */
import type { VotePromise } from "../consensus/types.ts";
import type { Disk, DiskFile } from "../world/disk.ts";
import { getUint64, putUint64, viewOf } from "./binary.ts";
import { LogCorruptionError } from "./errors.ts";
import type { Identity } from "./log.ts";

export const slotBytes = 4096;
const formatVersion = 1;
const magic = 0x54534b53;
const noString = 0xffff;

export interface NodeState {
	readonly identity: Identity;
	readonly promise: VotePromise;
}

export interface StateFile {
	readonly state: NodeState;
	/** Resolves when durable in both slots. After a rejection the state before still counts, or the new one. */
	write(promise: VotePromise): Promise<void>;
	close(): Promise<void>;
}

export function encodeSlot(checksum: Disk["checksum"], state: NodeState, sequence: number): Uint8Array {
	const bytes = new Uint8Array(slotBytes);
	const view = viewOf(bytes);
	view.setUint32(0, magic, true);
	view.setUint32(8, formatVersion, true);
	putUint64(view, 16, sequence);
	putUint64(view, 24, state.promise.term);
	const { clusterId, nodeId, incarnation } = state.identity;
	let place = 32;
	for (const text of [clusterId, nodeId, incarnation, state.promise.votedFor]) {
		if (text === null) {
			view.setUint16(place, noString, true);
			place += 2;
			continue;
		}
		const encoded = new TextEncoder().encode(text);
		if (encoded.length > 255) throw new RangeError(`an id of ${encoded.length} bytes`);
		view.setUint16(place, encoded.length, true);
		bytes.set(encoded, place + 2);
		place += 2 + encoded.length;
	}
	view.setUint32(4, checksum(bytes.subarray(8)), true);
	return bytes;
}

interface Slot {
	readonly state: NodeState;
	readonly sequence: number;
}

function decodeSlot(checksum: Disk["checksum"], bytes: Uint8Array, path: string): Slot | null {
	if (bytes.length < slotBytes) return null;
	const view = viewOf(bytes);
	if (view.getUint32(0, true) !== magic) return null;
	if (checksum(bytes.subarray(8)) !== view.getUint32(4, true)) return null;
	const version = view.getUint32(8, true);
	if (version !== formatVersion) {
		throw new LogCorruptionError(path, 8, `format version ${version}, this program knows ${formatVersion}`);
	}
	let place = 32;
	const take = (): string | null => {
		const length = view.getUint16(place, true);
		place += 2;
		if (length === noString) return null;
		place += length;
		return new TextDecoder().decode(bytes.subarray(place - length, place));
	};
	const identity = { clusterId: take() ?? "", nodeId: take() ?? "", incarnation: take() ?? "" };
	return {
		sequence: getUint64(view, 16),
		state: { identity, promise: { term: getUint64(view, 24), votedFor: take() } },
	};
}

/** Makes the file with both slots, durable but for its name. */
export async function createStateFile(disk: Disk, path: string, state: NodeState): Promise<void> {
	const file = await disk.open(path, { create: true });
	try {
		const slot = encodeSlot(disk.checksum, state, 1);
		await file.write(0, [slot, slot]);
		await file.sync();
	} finally {
		await file.close();
	}
}

export async function openStateFile(disk: Disk, path: string): Promise<StateFile> {
	const file = await disk.open(path, { create: false });
	try {
		return await recoverStateFile(disk, file, path);
	} catch (error) {
		await file.close().catch(() => {});
		throw error;
	}
}

async function recoverStateFile(disk: Disk, file: DiskFile, path: string): Promise<StateFile> {
	const bytes = await file.read(0, 2 * slotBytes);
	const slots = [0, 1].map((place) =>
		decodeSlot(disk.checksum, bytes.subarray(place * slotBytes, (place + 1) * slotBytes), path),
	);
	const [first = null, second = null] = slots;
	const newest = first === null || (second !== null && second.sequence > first.sequence) ? second : first;
	if (newest === null) throw new LogCorruptionError(path, 0, "both copies of term and vote are damaged");
	let { state, sequence } = newest;
	/**
	 * The slot that was written last. Only of the other one it is certain that the device has it: its sync
	 * had succeeded before this one was written. It goes first, so that one good copy exists at every moment.
	 */
	let doubtful = doubtfulOf(first, second);

	async function writeSlots(next: NodeState): Promise<void> {
		for (const place of [doubtful, 1 - doubtful]) {
			sequence++;
			doubtful = place;
			await file.write(place * slotBytes, [encodeSlot(disk.checksum, next, sequence)]);
			await file.sync();
		}
		state = next;
	}

	// A killed process may have left a slot in the page cache only, and so did a sync that failed: there it is
	// whole and seems to be clean, while the device has it torn (bug 40). A crash leaves a torn one.
	await writeSlots(state);
	return {
		get state() {
			return state;
		},
		write: (promise) => writeSlots({ identity: state.identity, promise }),
		close: () => file.close(),
	};
}

/** One that cannot be read was torn while it was written; else it is the one with the higher number. */
function doubtfulOf(first: Slot | null, second: Slot | null): number {
	if (first === null || second === null) return first === null ? 0 : 1;
	return first.sequence > second.sequence ? 0 : 1;
}
