/**
 * Entries from the leader, and the follower's answer.
 *
 *   append-request  = term:varint commitIndex:varint previous:position entries:list<entry>
 *   entry           = term:varint index:varint kind:u8 payload:bytes
 *   kind            = 0 barrier, 1 configuration, 2 command, 3 fragment, 4 metadata
 *   chain-append    = term:varint leader:name route:list<name> commitIndex:varint previous:position entries:list<entry>
 *   append-response = term:varint accepted:bool (matchIndex:varint | previousIndex:varint hint:position)
 *
 * The log keeps entries in memory, so they must not be views of the network's buffer. All payloads
 * of one message are copied in one go, and are views of that copy: one allocation instead of one an
 * entry, at the price that entries which came together are freed together.
 */
import type { AppendRequest, AppendResponse, ChainAppend } from "../../consensus/message.ts";
import type { Entry, EntryKind } from "../../consensus/types.ts";
import { type Header, readName, readPosition, writeName, writePosition } from "./envelope.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

const kinds: readonly EntryKind[] = ["barrier", "configuration", "command", "fragment", "metadata"];

function writeEntry(writer: Writer, entry: Entry): void {
	writer.varint(entry.term);
	writer.varint(entry.index);
	writer.u8(kinds.indexOf(entry.kind));
	writer.bytes(entry.payload);
}

function readEntry(reader: Reader): Entry {
	const term = reader.varint();
	const index = reader.varint();
	const kind = reader.choice(kinds, "kind of entry");
	return { index, term, kind, payload: reader.bytesView() };
}

/** An upper bound, so that the writer never grows. */
export function appendRequestSize(message: AppendRequest): number {
	let sizeBytes = 8 * 5;
	for (const entry of message.entries) sizeBytes += entry.payload.length + 25;
	return sizeBytes;
}

export function writeAppendRequest(writer: Writer, message: AppendRequest): void {
	writer.varint(message.term);
	writer.varint(message.commitIndex);
	writePosition(writer, message.previous);
	writer.list(message.entries, writeEntry);
}

export function readAppendRequest(reader: Reader, { group, from, to }: Header): AppendRequest {
	const term = reader.varint();
	const commitIndex = reader.varint();
	const previous = readPosition(reader);
	const rest = reader.copyRest();
	const entries = rest.list(readEntry, 4);
	rest.end();
	return { type: "append-request", group, from, to, term, previous, entries, commitIndex };
}

export function chainAppendSize(message: ChainAppend): number {
	let sizeBytes = 8 * 6 + 65 * (1 + message.route.length);
	for (const entry of message.entries) sizeBytes += entry.payload.length + 25;
	return sizeBytes;
}

export function writeChainAppend(writer: Writer, message: ChainAppend): void {
	writer.varint(message.term);
	writer.name(message.leader);
	writer.list(message.route, writeName);
	writer.varint(message.commitIndex);
	writePosition(writer, message.previous);
	writer.list(message.entries, writeEntry);
}

export function readChainAppend(reader: Reader, { group, from, to }: Header): ChainAppend {
	const term = reader.varint();
	const leader = reader.name();
	const route = reader.list(readName, 2);
	const commitIndex = reader.varint();
	const previous = readPosition(reader);
	const rest = reader.copyRest();
	const entries = rest.list(readEntry, 4);
	rest.end();
	return { type: "chain-append", group, from, to, term, leader, route, commitIndex, previous, entries };
}

export function writeAppendResponse(writer: Writer, message: AppendResponse): void {
	writer.varint(message.term);
	writer.bool(message.result.accepted);
	if (message.result.accepted) {
		writer.varint(message.result.matchIndex);
	} else {
		writer.varint(message.result.previousIndex);
		writePosition(writer, message.result.hint);
	}
}

export function readAppendResponse(reader: Reader, { group, from, to }: Header): AppendResponse {
	const term = reader.varint();
	const accepted = reader.bool();
	const result: AppendResponse["result"] = accepted
		? { accepted, matchIndex: reader.varint() }
		: { accepted, previousIndex: reader.varint(), hint: readPosition(reader) };
	return { type: "append-response", group, from, to, term, result };
}
