/** Numbers in bytes, little endian. */

export function viewOf(bytes: Uint8Array): DataView {
	return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function putUint64(view: DataView, offset: number, value: number): void {
	if (!Number.isSafeInteger(value) || value < 0)
		throw new RangeError(`${value} cannot be written to the log`);
	view.setUint32(offset, value % 2 ** 32, true);
	view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}

/** Beyond 2^53 it is not exact; no valid file holds such a number, and its checksum has been looked at before. */
export function getUint64(view: DataView, offset: number): number {
	return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
}

export function alignUp(size: number): number {
	return Math.ceil(size / 8) * 8;
}
