/**
 * A message between nodes to bytes and back: the door to the files beside it. Free of Node, since
 * it also runs in a browser. envelope.ts and writer.ts have the grammar; golden.test.ts freezes it.
 */
import type { PeerMessage } from "../message.ts";
import {
	appendRequestSize,
	chainAppendSize,
	readAppendRequest,
	readAppendResponse,
	readChainAppend,
	writeAppendRequest,
	writeAppendResponse,
	writeChainAppend,
} from "./append.ts";
import {
	readElectorMessage,
	readPreVoteRequest,
	readPreVoteResponse,
	readTimeoutNow,
	readVoteRequest,
	readVoteResponse,
	writeElectorMessage,
	writePreVoteRequest,
	writePreVoteResponse,
	writeTimeoutNow,
	writeVoteRequest,
	writeVoteResponse,
} from "./election.ts";
import type { Header } from "./envelope.ts";
import {
	readHeartbeatRequest,
	readHeartbeatResponse,
	readReadIndexRequest,
	readReadIndexResponse,
	writeHeartbeatRequest,
	writeHeartbeatResponse,
	writeReadIndexRequest,
	writeReadIndexResponse,
} from "./heartbeat.ts";
import { readAppliedResponse, readApplyRequest, writeAppliedResponse, writeApplyRequest } from "./in-sync.ts";
import { Reader } from "./reader.ts";
import {
	readCallRequest,
	readCallResponse,
	readCloseStream,
	readRunRequest,
	readRunResponse,
	writeCallRequest,
	writeCallResponse,
	writeCloseStream,
	writeRunRequest,
	writeRunResponse,
} from "./request.ts";
import {
	readSnapshotChunk,
	readSnapshotDone,
	readSnapshotOffer,
	readSnapshotWant,
	writeSnapshotChunk,
	writeSnapshotDone,
	writeSnapshotOffer,
	writeSnapshotWant,
} from "./snapshot.ts";
import { readStatus, writeStatus } from "./status.ts";
import { WireError } from "./wire-error.ts";
import { versionsText, wireVersions } from "./wire-version.ts";
import { Writer } from "./writer.ts";

/** The newest (wire-version.ts has all). The handshake agrees on one; each message repeats it. */
export const wireVersion = wireVersions.newest;

/** The number of each type on the wire: never changed, never used again. */
const typeNumbers: { readonly [Type in PeerMessage["type"]]: number } = {
	"pre-vote-request": 1,
	"pre-vote-response": 2,
	"vote-request": 3,
	"vote-response": 4,
	"append-request": 5,
	"append-response": 6,
	"heartbeat-request": 7,
	"heartbeat-response": 8,
	"timeout-now": 9,
	"read-index-request": 10,
	"read-index-response": 11,
	"apply-request": 12,
	"applied-response": 13,
	"chain-append": 14,
	"elector-message": 15,
	"run-request": 20,
	"run-response": 21,
	"close-stream": 22,
	"call-request": 23,
	"call-response": 24,
	status: 25,
	"snapshot-offer": 30,
	"snapshot-want": 31,
	"snapshot-chunk": 32,
	"snapshot-done": 33,
};

/** A guess that saves growing; an upper bound for the messages that carry much. */
function capacity(message: PeerMessage): number {
	const headerBytes = 2 + 4 + 2 * 65;
	if (message.type === "append-request") return headerBytes + appendRequestSize(message);
	if (message.type === "chain-append") return headerBytes + chainAppendSize(message);
	if (message.type === "snapshot-chunk") return headerBytes + message.bytes.length + 128;
	if (message.type === "run-request" || message.type === "run-response") return 512;
	return 64;
}

/** Throws WireError for what has no bytes: a number out of range, a node id that is none. */
export function encodeMessage(message: PeerMessage, version = wireVersion): Uint8Array {
	assertKnown(version);
	const writer = new Writer(capacity(message));
	writer.u8(version);
	writer.u8(typeNumbers[message.type]);
	writer.u32(message.group);
	writer.name(message.from);
	writer.name(message.to);
	writeBody(writer, message, version);
	return writer.finish();
}

function assertKnown(version: number, known = wireVersions): void {
	if (version >= known.oldest && version <= known.newest) return;
	const text = `a message of wire version ${version}; known here: ${versionsText(known)}`;
	throw new WireError("unknown-version", text);
}

function writeBody(writer: Writer, message: PeerMessage, version: number): void {
	switch (message.type) {
		case "pre-vote-request":
			return writePreVoteRequest(writer, message);
		case "pre-vote-response":
			return writePreVoteResponse(writer, message);
		case "vote-request":
			return writeVoteRequest(writer, message);
		case "vote-response":
			return writeVoteResponse(writer, message);
		case "append-request":
			return writeAppendRequest(writer, message);
		case "chain-append":
			return writeChainAppend(writer, message);
		case "append-response":
			return writeAppendResponse(writer, message);
		case "heartbeat-request":
			return writeHeartbeatRequest(writer, message);
		case "heartbeat-response":
			return writeHeartbeatResponse(writer, message);
		case "timeout-now":
			return writeTimeoutNow(writer, message);
		case "elector-message":
			return writeElectorMessage(writer, message);
		case "read-index-request":
			return writeReadIndexRequest(writer, message);
		case "read-index-response":
			return writeReadIndexResponse(writer, message);
		case "apply-request":
			return writeApplyRequest(writer, message);
		case "applied-response":
			return writeAppliedResponse(writer, message);
		case "run-request":
			return writeRunRequest(writer, message);
		case "run-response":
			return writeRunResponse(writer, message);
		case "close-stream":
			return writeCloseStream(writer, message);
		case "call-request":
			return writeCallRequest(writer, message);
		case "call-response":
			return writeCallResponse(writer, message);
		case "status":
			return writeStatus(writer, message, version);
		case "snapshot-offer":
			return writeSnapshotOffer(writer, message);
		case "snapshot-want":
			return writeSnapshotWant(writer, message);
		case "snapshot-chunk":
			return writeSnapshotChunk(writer, message);
		case "snapshot-done":
			return writeSnapshotDone(writer, message);
		default: {
			const never: never = message;
			throw new Error(`unknown message ${JSON.stringify(never)}`);
		}
	}
}

/** Throws WireError for anything that is not exactly one message. */
export function decodeMessage(bytes: Uint8Array, known = wireVersions): PeerMessage {
	const reader = new Reader(bytes);
	const version = reader.u8();
	assertKnown(version, known);
	const type = reader.u8();
	const header = { group: reader.u32(), from: reader.name(), to: reader.name() };
	const message = readBody(reader, type, header, version);
	reader.end();
	return message;
}

function readBody(reader: Reader, type: number, header: Header, version: number): PeerMessage {
	switch (type) {
		case 1:
			return readPreVoteRequest(reader, header);
		case 2:
			return readPreVoteResponse(reader, header);
		case 3:
			return readVoteRequest(reader, header);
		case 4:
			return readVoteResponse(reader, header);
		case 5:
			return readAppendRequest(reader, header);
		case 6:
			return readAppendResponse(reader, header);
		case 7:
			return readHeartbeatRequest(reader, header);
		case 8:
			return readHeartbeatResponse(reader, header);
		case 9:
			return readTimeoutNow(reader, header);
		case 10:
			return readReadIndexRequest(reader, header);
		case 11:
			return readReadIndexResponse(reader, header);
		case 12:
			return readApplyRequest(reader, header);
		case 13:
			return readAppliedResponse(reader, header);
		case 14:
			return readChainAppend(reader, header);
		case 15:
			return readElectorMessage(reader, header);
		case 20:
			return readRunRequest(reader, header);
		case 21:
			return readRunResponse(reader, header);
		case 22:
			return readCloseStream(reader, header);
		case 23:
			return readCallRequest(reader, header);
		case 24:
			return readCallResponse(reader, header);
		case 25:
			return readStatus(reader, header, version);
		case 30:
			return readSnapshotOffer(reader, header);
		case 31:
			return readSnapshotWant(reader, header);
		case 32:
			return readSnapshotChunk(reader, header);
		case 33:
			return readSnapshotDone(reader, header);
		default:
			throw new WireError("unknown-type", `${type} is not a type of message`);
	}
}
