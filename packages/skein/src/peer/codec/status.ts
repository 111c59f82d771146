/**
 * What a node tells every other about itself.
 *
 *   status = role term:varint url:string version:string appliedIndex:varint commitIndex:varint ready:bool
 *            lostTransactions:varint
 *            from wire version 7 on: oldest:u8 newest:u8        the wire versions that it understands
 */
import type { StatusMessage } from "../message.ts";
import { type Header, readRole, writeRole } from "./envelope.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export function writeStatus(writer: Writer, message: StatusMessage, version: number): void {
	writeRole(writer, message.role);
	writer.varint(message.term);
	writer.string(message.url);
	writer.string(message.version);
	writer.varint(message.appliedIndex);
	writer.varint(message.commitIndex);
	writer.bool(message.ready);
	writer.varint(message.lostTransactions);
	if (version < 7) return;
	writer.u8(message.wire.oldest);
	writer.u8(message.wire.newest);
}

export function readStatus(reader: Reader, { group, from, to }: Header, version: number): StatusMessage {
	return {
		type: "status",
		group,
		from,
		to,
		role: readRole(reader),
		term: reader.varint(),
		url: reader.string(),
		version: reader.string(),
		appliedIndex: reader.varint(),
		commitIndex: reader.varint(),
		ready: reader.bool(),
		lostTransactions: reader.varint(),
		// It does not say so before 6; then it knows what it speaks, for all that can be told.
		wire: version < 7 ? { oldest: version, newest: version } : { oldest: reader.u8(), newest: reader.u8() },
	};
}
