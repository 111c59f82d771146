/**
 * One file of a simulated disk: what readers see (the page cache), what the device holds, the changes
 * between the two, and what the device should hold if nothing had damaged it.
 */
import type { Chance } from "../engine/chance.ts";
import {
	applyChange,
	applyToDevice,
	copyInto,
	copyOf,
	differences,
	emptyContent,
	type FileChange,
	type FileContent,
	piecesOf,
} from "./file-content.ts";

export interface SimulatedFile {
	readonly sizeBytes: number;
	read(offset: number, length: number): Uint8Array;
	/** Keeps `bytes`. `misplacedAt`: the device will put it there instead. */
	write(offset: number, bytes: Uint8Array, misplacedAt?: number | null): void;
	truncate(size: number): void;
	sync(): void;
	/** Chance decides what reached the device; the system forgets that the rest is missing, and says so to nobody. */
	failSync(chance: Chance, cache: FailedSyncCache): void;
	/** The machine loses power: any part of what was not synced is kept. */
	loseCache(chance: Chance): void;
	/** The process died within this write: any part of it is in the cache. */
	tear(offset: number, bytes: Uint8Array, chance: Chance): void;
	/** Inverts bits, on the device and for readers. */
	rot(offset: number, mask: number): void;
	/** What the device holds, and what it would hold undamaged (the same object if it is). */
	readonly device: FileContent;
	readonly intended: FileContent;
	/** Nothing waits to reach the device: readers see what it holds. */
	readonly isClean: boolean;
	/** Bytes that readers see and that no later sync makes durable. */
	ghosts(): readonly number[];
}

/**
 * What readers see of pages that could not be written: ext4 and XFS keep them and call them clean, btrfs
 * goes back to what is on the device (Rebello et al., Can applications recover from fsync failures?, 2020).
 */
export type FailedSyncCache = "kept" | "reverted";

/** What a device writes whole or not at all: most often a sector; nothing promises more than a few bytes. */
const pieceSizes = [512, 32] as const;

export function createSimulatedFile(): SimulatedFile {
	const cache = emptyContent();
	const device = emptyContent();
	/** Null while nothing has been damaged. */
	let undamaged: FileContent | null = null;
	let unsynced: FileChange[] = [];

	function change(one: FileChange): void {
		applyChange(cache, one);
		unsynced.push(one);
	}

	function reach(one: FileChange): void {
		applyToDevice(device, one);
		if (undamaged !== null) applyChange(undamaged, one);
	}

	/** All, nothing, or each piece by chance: the extremes would be rare otherwise. */
	function reachInPart(chance: Chance): void {
		const luck = chance.next();
		const pieceBytes = chance.pick(pieceSizes);
		const survives = () => (luck < 0.2 ? false : luck < 0.4 ? true : chance.happens(0.5));
		for (const one of unsynced) {
			for (const piece of piecesOf(one, pieceBytes)) if (survives()) reachOrDamage(piece);
		}
		unsynced = [];
	}

	function reachOrDamage(one: FileChange): void {
		if (one.type === "write" && one.misplacedAt !== null) undamaged ??= copyOf(device);
		reach(one);
	}

	function sync(): void {
		let misplaced = false;
		for (const one of unsynced) {
			misplaced ||= one.type === "write" && one.misplacedAt !== null;
			reachOrDamage(one);
		}
		unsynced = [];
		if (misplaced) dropClean();
	}

	/** Readers see what the device has, but for what is still to be written. */
	function dropClean(): void {
		copyInto(cache, device);
		for (const one of unsynced) applyChange(cache, one);
	}

	return {
		get sizeBytes() {
			return cache.size;
		},
		read: (offset, length) =>
			cache.bytes.slice(offset, Math.max(offset, Math.min(offset + length, cache.size))),
		write(offset, bytes, misplacedAt = null) {
			if (bytes.length > 0) change({ type: "write", offset, bytes, misplacedAt });
		},
		truncate: (size) => change({ type: "truncate", size }),
		sync,
		failSync(chance, kept) {
			reachInPart(chance);
			if (kept === "reverted") copyInto(cache, device);
		},
		loseCache(chance) {
			reachInPart(chance);
			copyInto(cache, device);
		},
		tear(offset, bytes, chance) {
			// The system copies from the front; it is stopped at a page at most.
			const length = chance.pick([0, bytes.length, Math.min(bytes.length, 512 * chance.below(16))]);
			if (length > 0) change({ type: "write", offset, bytes: bytes.slice(0, length), misplacedAt: null });
		},
		rot(offset, mask) {
			undamaged ??= copyOf(device);
			if (offset < device.size) device.bytes[offset] = (device.bytes[offset] ?? 0) ^ mask;
			dropClean();
		},
		device,
		get intended() {
			return undamaged ?? device;
		},
		get isClean() {
			return unsynced.length === 0;
		},
		ghosts() {
			const synced = copyOf(device);
			for (const one of unsynced) applyToDevice(synced, one);
			return differences(cache, synced);
		},
	};
}
