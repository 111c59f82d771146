/**
 * The payload of an entry that changes the log format: a code that no format's payload begins with, then the
 * name. Entries before it hold the old format, entries behind it the new one; a member that applies it keeps
 * the name with the applied index, so a restart and a snapshot know it.
 */
import { isLogFormat, type LogFormat } from "../log-format.ts";

const formatChangeCode = 16;

export function encodeFormatChange(format: LogFormat): Uint8Array<ArrayBuffer> {
	return Uint8Array.from([formatChangeCode, ...new TextEncoder().encode(format)]);
}

/** Null: another payload. */
export function readFormatChange(payload: Uint8Array): LogFormat | null {
	if (payload[0] !== formatChangeCode) return null;
	const name = new TextDecoder().decode(payload.subarray(1));
	if (!isLogFormat(name))
		throw new Error(`a change to the log format ${name}, which this node does not know`);
	return name;
}
