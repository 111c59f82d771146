/**
 * Decompresses the frames of the bulk lane, one after the other on a thread of the pool, so that
 * order holds and the event loop is never busy with megabytes. While much waits, the socket is paused.
 */
import type { Socket } from "node:net";
import { zstdDecompress } from "node:zlib";
import { FrameError, plainFlag } from "./frame.ts";

const pauseAboveBytes = 4 * 1024 * 1024;

export interface Inflater {
	push(body: Uint8Array, flags: number): void;
}

export function createInflater(
	socket: Socket,
	maxMessageBytes: number,
	deliver: (bytes: Uint8Array) => void,
	fail: (error: unknown) => void,
): Inflater {
	const waiting: { body: Uint8Array; flags: number }[] = [];
	let waitingBytes = 0;
	let busy = false;

	function next(): void {
		while (!busy) {
			const frame = waiting.shift();
			if (frame === undefined || socket.destroyed) return;
			waitingBytes -= frame.body.length;
			if (socket.isPaused() && waitingBytes <= pauseAboveBytes / 2) socket.resume();
			if (frame.flags === plainFlag) deliver(frame.body);
			else inflate(frame.body);
		}
	}

	function inflate(body: Uint8Array): void {
		busy = true;
		// The limit holds before memory is taken: a small frame cannot grow into gigabytes.
		zstdDecompress(body, { maxOutputLength: maxMessageBytes }, (error, bytes) => {
			busy = false;
			try {
				if (error !== null) throw new FrameError(`a compressed frame does not open: ${error.message}`);
				deliver(bytes);
				next();
			} catch (problem) {
				fail(problem);
			}
		});
	}

	return {
		push(body, flags) {
			waiting.push({ body, flags });
			waitingBytes += body.length;
			if (waitingBytes > pauseAboveBytes) socket.pause();
			next();
		},
	};
}
