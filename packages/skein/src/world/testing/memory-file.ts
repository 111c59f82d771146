/** One file of the memory disk: what readers see, what is durable, and the changes between the two. */

export interface MemoryFile {
	readonly sizeBytes: number;
	read(offset: number, length: number): Uint8Array;
	write(offset: number, bytes: Uint8Array): void;
	truncate(size: number): void;
	sync(): void;
	/**
	 * Any part of the unsynced changes reaches the device, and no later sync writes the rest: the system takes
	 * it for clean. Readers see it on, as on ext4 and XFS, or what the device has, as on btrfs.
	 */
	failSync(random: () => number): void;
	/** Any part of the unsynced changes survives. */
	crash(random: () => number): void;
	flip(offset: number, mask: number): void;
}

type Change =
	| { readonly type: "write"; readonly offset: number; readonly bytes: Uint8Array }
	| { readonly type: "truncate"; readonly size: number };

/** What a device writes whole or not at all: most often a sector; nothing promises more than a few bytes. */
const pieceSizes = [512, 32];

interface Content {
	bytes: Uint8Array;
	size: number;
}

export function createMemoryFile(): MemoryFile {
	let current: Content = { bytes: new Uint8Array(1024), size: 0 };
	const durable: Content = { bytes: new Uint8Array(1024), size: 0 };
	let unsynced: Change[] = [];

	function change(one: Change): void {
		apply(current, one);
		unsynced.push(one);
	}

	/** All, nothing, or each piece by chance: the extremes would be rare otherwise. */
	function reachInPart(random: () => number): void {
		const luck = random();
		const pieceBytes = pieceSizes[random() < 0.5 ? 0 : 1] ?? 512;
		const survives = () => (luck < 0.2 ? false : luck < 0.4 ? true : random() < 0.5);
		for (const one of unsynced) {
			for (const piece of one.type === "write" ? pieces(one, pieceBytes) : [one]) {
				if (survives()) apply(durable, piece);
			}
		}
		unsynced = [];
	}

	const durableCopy = (): Content => ({ bytes: durable.bytes.slice(), size: durable.size });

	return {
		get sizeBytes() {
			return current.size;
		},
		read: (offset, length) => current.bytes.slice(offset, Math.min(offset + length, current.size)),
		write(offset, bytes) {
			if (bytes.length > 0) change({ type: "write", offset, bytes: bytes.slice() });
		},
		truncate: (size) => change({ type: "truncate", size }),
		sync() {
			for (const one of unsynced) apply(durable, one);
			unsynced = [];
		},
		failSync(random) {
			reachInPart(random);
			if (random() < 0.5) current = durableCopy();
		},
		crash(random) {
			reachInPart(random);
			current = durableCopy();
		},
		flip(offset, mask) {
			for (const content of [current, durable]) {
				content.bytes[offset] = (content.bytes[offset] ?? 0) ^ mask;
			}
		},
	};
}

function pieces(write: Extract<Change, { type: "write" }>, pieceBytes: number): Change[] {
	const all: Change[] = [];
	const end = write.offset + write.bytes.length;
	for (let offset = write.offset; offset < end; ) {
		const next = Math.min(end, (Math.floor(offset / pieceBytes) + 1) * pieceBytes);
		const bytes = write.bytes.subarray(offset - write.offset, next - write.offset);
		all.push({ type: "write", offset, bytes });
		offset = next;
	}
	return all;
}

function apply(content: Content, change: Change): void {
	if (change.type === "truncate") {
		grow(content, change.size);
		content.bytes.fill(0, change.size, Math.max(change.size, content.size));
		content.size = change.size;
		return;
	}
	const end = change.offset + change.bytes.length;
	grow(content, end);
	content.bytes.set(change.bytes, change.offset);
	content.size = Math.max(content.size, end);
}

function grow(content: Content, size: number): void {
	if (size <= content.bytes.length) return;
	const larger = new Uint8Array(Math.max(size, content.bytes.length * 2));
	larger.set(content.bytes);
	content.bytes = larger;
}
