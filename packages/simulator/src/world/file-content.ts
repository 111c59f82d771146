/** The bytes of one file, and the changes that can be made to them. */

export interface FileContent {
	bytes: Uint8Array;
	size: number;
}

export type FileChange =
	| {
			readonly type: "write";
			readonly offset: number;
			readonly bytes: Uint8Array;
			/** Where the device will put it instead; null: where it belongs. */
			readonly misplacedAt: number | null;
	  }
	| { readonly type: "truncate"; readonly size: number };

export function emptyContent(): FileContent {
	return { bytes: new Uint8Array(0), size: 0 };
}

export function copyOf(content: FileContent): FileContent {
	return { bytes: content.bytes.slice(0, Math.max(1024, content.size)), size: content.size };
}

/** `target` becomes a copy of `source`, in the memory that it has if that is enough. */
export function copyInto(target: FileContent, source: FileContent): void {
	if (target.bytes.length < source.size) target.bytes = source.bytes.slice();
	else {
		target.bytes.set(source.bytes.subarray(0, source.size));
		target.bytes.fill(0, source.size, Math.max(source.size, target.size));
	}
	target.size = source.size;
}

/** As it was meant. */
export function applyChange(content: FileContent, change: FileChange): void {
	if (change.type === "truncate") {
		grow(content, change.size);
		content.bytes.fill(0, change.size, Math.max(change.size, content.size));
		content.size = change.size;
		return;
	}
	put(content, change.offset, change.bytes);
}

/** As the device does it. */
export function applyToDevice(content: FileContent, change: FileChange): void {
	if (change.type === "write" && change.misplacedAt !== null) put(content, change.misplacedAt, change.bytes);
	else applyChange(content, change);
}

function put(content: FileContent, offset: number, bytes: Uint8Array): void {
	const end = offset + bytes.length;
	grow(content, end);
	content.bytes.set(bytes, offset);
	content.size = Math.max(content.size, end);
}

function grow(content: FileContent, size: number): void {
	if (size <= content.bytes.length) return;
	const larger = new Uint8Array(Math.max(size, content.bytes.length * 2));
	larger.set(content.bytes);
	content.bytes = larger;
}

/** The parts that a device writes whole or not at all, if it does so in `pieceBytes`. */
export function piecesOf(change: FileChange, pieceBytes: number): readonly FileChange[] {
	if (change.type !== "write" || change.misplacedAt !== null) return [change];
	const pieces: FileChange[] = [];
	const end = change.offset + change.bytes.length;
	for (let offset = change.offset; offset < end; ) {
		const next = Math.min(end, (Math.floor(offset / pieceBytes) + 1) * pieceBytes);
		const bytes = change.bytes.subarray(offset - change.offset, next - change.offset);
		pieces.push({ type: "write", offset, bytes, misplacedAt: null });
		offset = next;
	}
	return pieces;
}

/** Where two contents differ, up to the longer one's end. */
export function differences(one: FileContent, other: FileContent): number[] {
	const places: number[] = [];
	// Most contents are equal but for a few bytes: by words as far as they are.
	const words = Math.min(one.size, other.size) >> 2;
	const oneWords = new Uint32Array(one.bytes.buffer, one.bytes.byteOffset, words);
	const otherWords = new Uint32Array(other.bytes.buffer, other.bytes.byteOffset, words);
	for (let word = 0; word < words; word++) {
		if (oneWords[word] === otherWords[word]) continue;
		for (let place = 4 * word; place < 4 * word + 4; place++) {
			if (one.bytes[place] !== other.bytes[place]) places.push(place);
		}
	}
	for (let place = 4 * words; place < Math.max(one.size, other.size); place++) {
		const isInBoth = place < one.size && place < other.size;
		if (!isInBoth || one.bytes[place] !== other.bytes[place]) places.push(place);
	}
	return places;
}
