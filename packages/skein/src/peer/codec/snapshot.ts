/**
 * The transfer of a snapshot.
 *
 *   snapshot-offer = term:varint sha256:string applied:position configurationIndex:varint configuration sizeBytes:varint
 *   snapshot-want  = sha256:string offset:varint
 *   snapshot-chunk = sha256:string offset:varint checksum:u32 bytes
 *   snapshot-done  = sha256:string failure:option<string>
 *
 * The bytes of a decoded chunk are a view of the received frame, not a copy: write them to disk,
 * do not keep them.
 */
import type { SnapshotChunk, SnapshotDone, SnapshotOffer, SnapshotWant } from "../message.ts";
import {
	type Header,
	readConfiguration,
	readPosition,
	readString,
	writeConfiguration,
	writePosition,
	writeString,
} from "./envelope.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export function writeSnapshotOffer(writer: Writer, message: SnapshotOffer): void {
	writer.varint(message.term);
	writer.string(message.sha256);
	writePosition(writer, message.applied);
	writer.varint(message.configurationIndex);
	writeConfiguration(writer, message.configuration);
	writer.varint(message.sizeBytes);
}

export function readSnapshotOffer(reader: Reader, { group, from, to }: Header): SnapshotOffer {
	return {
		type: "snapshot-offer",
		group,
		from,
		to,
		term: reader.varint(),
		sha256: reader.string(),
		applied: readPosition(reader),
		configurationIndex: reader.varint(),
		configuration: readConfiguration(reader),
		sizeBytes: reader.varint(),
	};
}

export function writeSnapshotWant(writer: Writer, message: SnapshotWant): void {
	writer.string(message.sha256);
	writer.varint(message.offset);
}

export function readSnapshotWant(reader: Reader, { group, from, to }: Header): SnapshotWant {
	return { type: "snapshot-want", group, from, to, sha256: reader.string(), offset: reader.varint() };
}

export function writeSnapshotChunk(writer: Writer, message: SnapshotChunk): void {
	writer.string(message.sha256);
	writer.varint(message.offset);
	writer.u32(message.checksum);
	writer.bytes(message.bytes);
}

export function readSnapshotChunk(reader: Reader, { group, from, to }: Header): SnapshotChunk {
	const sha256 = reader.string();
	const offset = reader.varint();
	const checksum = reader.u32();
	return { type: "snapshot-chunk", group, from, to, sha256, offset, checksum, bytes: reader.bytesView() };
}

export function writeSnapshotDone(writer: Writer, message: SnapshotDone): void {
	writer.string(message.sha256);
	writer.option(message.failure, writeString);
}

export function readSnapshotDone(reader: Reader, { group, from, to }: Header): SnapshotDone {
	const sha256 = reader.string();
	return { type: "snapshot-done", group, from, to, sha256, failure: reader.option(readString) };
}
