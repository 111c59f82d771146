/**
 * What a witness is sent, and keeps, of an entry whose payload it is not to have (docs/decisions/witness.md): index, term, and as
 * payload the kind of the entry (u8, 2 command, 3 fragment), the length of its payload and the CRC-32 of it (u32 each, little endian).
 */
import type { Entry } from "../consensus/types.ts";
import type { Disk } from "../world/disk.ts";

const kindCodes = { command: 2, fragment: 3 } as const;

export function metadataOf(entry: Entry, checksum: Disk["checksum"]): Entry {
	const { index, term, kind, payload } = entry;
	if (kind !== "command" && kind !== "fragment") return entry;
	const bytes = new Uint8Array(9);
	const view = new DataView(bytes.buffer);
	view.setUint8(0, kindCodes[kind]);
	view.setUint32(1, payload.length, true);
	view.setUint32(5, checksum(payload), true);
	return { index, term, kind: "metadata", payload: bytes };
}
