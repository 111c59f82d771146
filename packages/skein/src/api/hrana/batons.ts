/**
 * Batons: what a client shows to go on with its stream. Stream id and sequence number under a MAC
 * with a key of this process, so that nobody can guess another's, and none outlives the process.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Random } from "../../world/random.ts";

export interface BatonContent {
	readonly streamId: number;
	/** One more with every answer: a baton is good once. */
	readonly sequence: number;
}

export interface Batons {
	seal(content: BatonContent): string;
	/** Null: not one of ours (another node's, of before a restart, or made up). */
	open(baton: string): BatonContent | null;
}

const contentBytes = 16;
const macBytes = 32;
const keyBytes = 32;

export function createBatons(random: Random): Batons {
	const key = random.bytes(keyBytes);
	const mac = (content: Uint8Array): Buffer => createHmac("sha256", key).update(content).digest();

	return {
		seal({ streamId, sequence }) {
			const content = Buffer.alloc(contentBytes);
			content.writeBigUInt64BE(BigInt(streamId), 0);
			content.writeBigUInt64BE(BigInt(sequence), 8);
			return Buffer.concat([content, mac(content)]).toString("base64");
		},
		open(baton) {
			const bytes = Buffer.from(baton, "base64");
			if (bytes.length !== contentBytes + macBytes) return null;
			const content = bytes.subarray(0, contentBytes);
			if (!timingSafeEqual(mac(content), bytes.subarray(contentBytes))) return null;
			return {
				streamId: Number(content.readBigUInt64BE(0)),
				sequence: Number(content.readBigUInt64BE(8)),
			};
		},
	};
}
