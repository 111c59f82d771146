/**
 * Frames: how messages are cut out of a stream of bytes.
 *
 *   frame = length:u32 flags:u8 checksum:u32 body[length]      little-endian
 *   flags = 0: body is the message. 1: body is the message, compressed with zstd
 *   checksum = CRC-32 of the body as sent
 *
 * TCP's own checksum has 16 bits, and damage that gets past the links' checksums does happen (Stone and
 * Partridge, "When the CRC and TCP checksum disagree", SIGCOMM 2000). The log's checksum is made after an
 * entry arrived, so without this one a damaged entry would be kept for good. It costs 0.25 µs a kilobyte.
 */
import { crc32 } from "node:zlib";

export const frameHeaderBytes = 9;
export const plainFlag = 0;
export const zstdFlag = 1;

export class FrameError extends Error {
	constructor(message: string) {
		super(message);
		this.name = "FrameError";
	}
}

export function writeFrameHeader(target: Buffer, offset: number, body: Uint8Array, flags: number): void {
	target.writeUInt32LE(body.length, offset);
	target.writeUInt8(flags, offset + 4);
	target.writeUInt32LE(crc32(body), offset + 5);
}

export interface FrameReader {
	/** Takes a chunk, and calls `onFrame` for each frame that is now whole. Throws FrameError. */
	push(chunk: Buffer): void;
}

/**
 * A frame that lies whole in a chunk is a view of it. One that spans chunks is gathered in a list
 * and copied once, so memory grows with what was really received, not with what a header claims.
 */
export function createFrameReader(
	maxBodyBytes: number,
	onFrame: (body: Uint8Array, flags: number) => void,
): FrameReader {
	let pending: Buffer[] = [];
	let pendingBytes = 0;
	/** How much must be there before it is worth looking again. */
	let neededBytes = frameHeaderBytes;

	/** Delivers the whole frames at the front of `data`; says where the first incomplete one begins. */
	function take(data: Buffer): number {
		let offset = 0;
		for (;;) {
			const available = data.length - offset;
			if (available < frameHeaderBytes) {
				neededBytes = frameHeaderBytes;
				return offset;
			}
			const length = data.readUInt32LE(offset);
			const flags = data.readUInt8(offset + 4);
			if (length > maxBodyBytes) {
				throw new FrameError(`a frame of ${length} bytes, ${maxBodyBytes} are allowed`);
			}
			if (flags > zstdFlag) throw new FrameError(`unknown frame flags ${flags}`);
			if (available < frameHeaderBytes + length) {
				neededBytes = frameHeaderBytes + length;
				return offset;
			}
			const start = offset + frameHeaderBytes;
			const body = data.subarray(start, start + length);
			if (crc32(body) !== data.readUInt32LE(offset + 5)) throw new FrameError("a frame fails its checksum");
			offset = start + length;
			onFrame(body, flags);
		}
	}

	return {
		push(chunk) {
			if (pendingBytes + chunk.length < neededBytes) {
				pending.push(chunk);
				pendingBytes += chunk.length;
				return;
			}
			const data = pendingBytes === 0 ? chunk : Buffer.concat([...pending, chunk]);
			pending = [];
			pendingBytes = 0;
			const rest = data.subarray(take(data));
			if (rest.length > 0) {
				pending.push(rest);
				pendingBytes = rest.length;
			}
		},
	};
}
