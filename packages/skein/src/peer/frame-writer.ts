/**
 * The sending side of one connection after its handshake: a bounded queue of messages, written as
 * frames, one write to the operating system at a time. The first message goes at once (the leader's
 * entries leave before it writes them to its own disk), what comes until it is written goes together.
 * Also watches the receipts that come back: without them for too long, it is stalled.
 */
import type { Socket } from "node:net";
import { constants, zstdCompress } from "node:zlib";
import type { Clock } from "../world/clock.ts";
import type { Lane } from "../world/network.ts";
import { frameHeaderBytes, plainFlag, writeFrameHeader, zstdFlag } from "./frame.ts";
import type { PeerLimits } from "./limits.ts";
import { createReceiptReader } from "./receipt.ts";

/** Messages gathered into one write; more wait for the next. */
const batchBytes = 256 * 1024;
/** Smaller bodies are copied next to each other, larger ones are written from where they are. */
const copyBelowBytes = 4096;
const compressFromBytes = 1024;
/** After a message that did not shrink, so many go uncompressed before the next try. */
const skipAfterIncompressible = 15;

export interface FrameWriter {
	send(bytes: Uint8Array): boolean;
	queuedBytes(): number;
	/** Bytes of the other direction: receipts. Throws on nonsense. */
	receive(chunk: Buffer): void;
	/** Bytes are under way and none was confirmed for the stall limit. */
	stalled(): boolean;
	close(): void;
}

export function createFrameWriter(socket: Socket, lane: Lane, clock: Clock, limits: PeerLimits): FrameWriter {
	let queue: Uint8Array[] = [];
	let queuedBytes = 0;
	let writing = false;
	let closed = false;
	let incompressibleLeft = 0;
	let sentBytes = 0;
	let confirmedBytes = 0;
	let progressAt = clock.now();
	const receipts = createReceiptReader();

	function flush(): void {
		if (writing || closed || queue.length === 0) return;
		writing = true;
		if (lane === "bulk") flushCompressed();
		else flushBatch();
	}

	function flushBatch(): void {
		let count = 0;
		let sizeBytes = 0;
		for (const message of queue) {
			count++;
			sizeBytes += message.length + frameHeaderBytes;
			if (sizeBytes >= batchBytes) break;
		}
		const messages = queue.slice(0, count);
		queue = queue.slice(count);
		writeChunks(frameChunks(messages), sizeBytes, sizeBytes);
	}

	function flushCompressed(): void {
		const message = queue.shift();
		if (message === undefined) throw new Error("flush without a message");
		const queuedSizeBytes = message.length + frameHeaderBytes;
		if (message.length < compressFromBytes || incompressibleLeft > 0) {
			if (incompressibleLeft > 0) incompressibleLeft--;
			writeChunks(frameChunks([message]), queuedSizeBytes, queuedSizeBytes);
			return;
		}
		// On a thread of the pool; the next message waits, so order holds.
		zstdCompress(message, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }, (error, compressed) => {
			if (closed) return;
			if (error !== null || compressed.length > message.length * 0.95) {
				incompressibleLeft = skipAfterIncompressible;
				writeChunks(frameChunks([message]), queuedSizeBytes, queuedSizeBytes);
				return;
			}
			const header = Buffer.allocUnsafe(frameHeaderBytes);
			writeFrameHeader(header, 0, compressed, zstdFlag);
			writeChunks([header, compressed], compressed.length + frameHeaderBytes, queuedSizeBytes);
		});
	}

	/** `queuedSizeBytes`: what these bytes had been counted as in the queue. */
	function writeChunks(chunks: Uint8Array[], sizeBytes: number, queuedSizeBytes: number): void {
		// Nothing was under way: the wait for a receipt begins now.
		if (sentBytes === confirmedBytes) progressAt = clock.now();
		sentBytes += sizeBytes;
		const [only] = chunks;
		if (chunks.length === 1 && only !== undefined) {
			socket.write(only, () => onWritten(queuedSizeBytes));
			return;
		}
		socket.cork();
		const last = chunks.length - 1;
		for (const [place, chunk] of chunks.entries()) {
			if (place < last) socket.write(chunk);
			else socket.write(chunk, () => onWritten(queuedSizeBytes));
		}
		socket.uncork();
	}

	function onWritten(sizeBytes: number): void {
		if (closed) return;
		queuedBytes -= sizeBytes;
		writing = false;
		if (queue.length > 0) flush();
	}

	return {
		send(bytes) {
			const sizeBytes = bytes.length + frameHeaderBytes;
			if (closed || bytes.length > limits.maxMessageBytes[lane]) return false;
			if (queuedBytes + sizeBytes > limits.maxQueuedBytes[lane]) return false;
			queue.push(bytes);
			queuedBytes += sizeBytes;
			flush();
			return true;
		},
		queuedBytes: () => queuedBytes,
		receive(chunk) {
			const total = receipts(chunk);
			if (total === null || total <= confirmedBytes) return;
			if (total > sentBytes) throw new Error(`a receipt for ${total} bytes, ${sentBytes} were sent`);
			confirmedBytes = total;
			progressAt = clock.now();
		},
		stalled: () => sentBytes > confirmedBytes && clock.now() - progressAt > limits.stallTimeoutMs,
		close() {
			closed = true;
			queue = [];
			queuedBytes = 0;
		},
	};
}

/** Frames as few chunks: neighbours that are small share one. */
function frameChunks(messages: readonly Uint8Array[]): Uint8Array[] {
	let copiedBytes = 0;
	for (const message of messages) {
		copiedBytes += frameHeaderBytes + (message.length < copyBelowBytes ? message.length : 0);
	}
	const copied = Buffer.allocUnsafe(copiedBytes);
	const chunks: Uint8Array[] = [];
	let start = 0;
	let offset = 0;
	for (const message of messages) {
		writeFrameHeader(copied, offset, message, plainFlag);
		offset += frameHeaderBytes;
		if (message.length < copyBelowBytes) {
			copied.set(message, offset);
			offset += message.length;
		} else {
			chunks.push(copied.subarray(start, offset), message);
			start = offset;
		}
	}
	if (offset > start) chunks.push(copied.subarray(start, offset));
	return chunks;
}
