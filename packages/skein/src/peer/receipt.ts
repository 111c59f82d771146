/**
 * Receipts: what the acceptor says on a connection after the handshake, at most once a second and
 * only when something new arrived: how many bytes of frames it has read in all (f64, little-endian).
 * TCP confirms to the kernel only, and Node cannot set TCP_USER_TIMEOUT: without receipts a peer
 * whose machine or process hangs would keep its connection, and our queue, for many minutes.
 */

export function encodeReceipt(totalBytes: number): Buffer {
	const receipt = Buffer.alloc(8);
	receipt.writeDoubleLE(totalBytes);
	return receipt;
}

/** Takes the bytes as they come; says the newest total, or null when no receipt became whole. */
export function createReceiptReader(): (chunk: Buffer) => number | null {
	let rest = Buffer.alloc(0);
	return (chunk) => {
		const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
		const wholeBytes = data.length - (data.length % 8);
		rest = Buffer.from(data.subarray(wholeBytes));
		if (wholeBytes === 0) return null;
		const total = data.readDoubleLE(wholeBytes - 8);
		if (!Number.isSafeInteger(total) || total < 0) throw new Error("a receipt that is not a number of bytes");
		return total;
	};
}
