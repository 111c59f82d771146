/** A record is taken for one only as DESIGN.md has it, also where its checksum holds. */
import { expect, test } from "vitest";
import type { Entry } from "../consensus/types.ts";
import { crc32 } from "../world/crc32.ts";
import { viewOf } from "./binary.ts";
import { decodeRecord, encodeHeader, recordBytes, recordHeaderBytes } from "./record.ts";

const salt = 17;
const entry: Entry = { index: 5, term: 3, kind: "fragment", payload: new Uint8Array([1, 2, 3, 4]) };

/** The record, changed, and with the checksum that it then has. */
function recordWith(change: (view: DataView) => void): ReturnType<typeof decodeRecord> {
	const bytes = new Uint8Array(recordBytes(entry.payload.length));
	bytes.set(entry.payload, recordHeaderBytes);
	encodeHeader(crc32, entry, { salt, previousCrc: 9, durableIndex: 4 }, bytes, 0);
	const view = viewOf(bytes);
	change(view);
	const end = recordHeaderBytes + view.getUint32(4, true);
	view.setUint32(0, crc32(bytes.subarray(4, end), salt), true);
	return decodeRecord(crc32, bytes, view, 0, salt);
}

test("what was written is read", () => {
	const read = { index: 5, term: 3, kind: "fragment", durableIndex: 4, previousCrc: 9, payloadBytes: 4 };
	expect(recordWith(() => {})).toMatchObject(read);
});

test.each<[string, number, number]>([
	["another mark", 39, 0],
	["a kind that this program does not know", 36, 9],
	["no kind", 36, 0],
	["a payload that goes beyond the end", 4, 100],
])("%s is no record", (_what, offset, value) => {
	expect(recordWith((view) => view.setUint8(offset, value))).toBe(null);
});
