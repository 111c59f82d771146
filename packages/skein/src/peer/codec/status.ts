/**
 * What a node tells every other about itself.
 *
 *   status = role term:varint url:string version:string appliedIndex:varint commitIndex:varint ready:bool
 *            lostTransactions:varint
 */
import type { StatusMessage } from "../message.ts";
import { type Header, readRole, writeRole } from "./envelope.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export function writeStatus(writer: Writer, message: StatusMessage): void {
	writeRole(writer, message.role);
	writer.varint(message.term);
	writer.string(message.url);
	writer.string(message.version);
	writer.varint(message.appliedIndex);
	writer.varint(message.commitIndex);
	writer.bool(message.ready);
	writer.varint(message.lostTransactions);
}

export function readStatus(reader: Reader, { group, from, to }: Header): StatusMessage {
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
	};
}
