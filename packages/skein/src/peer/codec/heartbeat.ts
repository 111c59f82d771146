/**
 * The leader's sign of life and its answer, and the read index, which rides on the same rounds.
 *
 *   heartbeat-request   = term:varint commitIndex:varint round:varint lease:option<lease>
 *                         endsReads:bool
 *   lease               = round:varint durationMs:varint index:varint reads:option<reads>
 *   reads               = durationMs:varint index:varint tail:bool
 *   heartbeat-response  = term:varint round:varint lastIndex:varint appliedIndex:varint
 *   read-index-request  = term:varint readId:varint
 *   read-index-response = term:varint readId:varint index:varint commitIndex:varint
 */
import type {
	HeartbeatRequest,
	HeartbeatResponse,
	LeaseGrant,
	ReadGrant,
	ReadIndexRequest,
	ReadIndexResponse,
} from "../../consensus/message.ts";
import type { Header } from "./envelope.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export function writeHeartbeatRequest(writer: Writer, message: HeartbeatRequest): void {
	writer.varint(message.term);
	writer.varint(message.commitIndex);
	writer.varint(message.round);
	writer.option(message.lease, writeLease);
	writer.bool(message.endsReads);
}

function writeLease(writer: Writer, lease: LeaseGrant): void {
	writer.varint(lease.round);
	writer.varint(lease.durationMs);
	writer.varint(lease.index);
	writer.option(lease.reads, writeReads);
}

function writeReads(writer: Writer, reads: ReadGrant): void {
	writer.varint(reads.durationMs);
	writer.varint(reads.index);
	writer.bool(reads.tail);
}

function readReads(reader: Reader): ReadGrant {
	const durationMs = reader.varint();
	const index = reader.varint();
	return { durationMs, index, tail: reader.bool() };
}

function readLease(reader: Reader): LeaseGrant {
	const round = reader.varint();
	const durationMs = reader.varint();
	const index = reader.varint();
	return { round, durationMs, index, reads: reader.option(readReads) };
}

export function readHeartbeatRequest(reader: Reader, { group, from, to }: Header): HeartbeatRequest {
	const term = reader.varint();
	const commitIndex = reader.varint();
	const round = reader.varint();
	const lease = reader.option(readLease);
	const endsReads = reader.bool();
	return { type: "heartbeat-request", group, from, to, term, commitIndex, round, lease, endsReads };
}

export function writeHeartbeatResponse(writer: Writer, message: HeartbeatResponse): void {
	writer.varint(message.term);
	writer.varint(message.round);
	writer.varint(message.lastIndex);
	writer.varint(message.appliedIndex);
}

export function readHeartbeatResponse(reader: Reader, { group, from, to }: Header): HeartbeatResponse {
	const term = reader.varint();
	const round = reader.varint();
	const lastIndex = reader.varint();
	const appliedIndex = reader.varint();
	return { type: "heartbeat-response", group, from, to, term, round, lastIndex, appliedIndex };
}

export function writeReadIndexRequest(writer: Writer, message: ReadIndexRequest): void {
	writer.varint(message.term);
	writer.varint(message.readId);
}

export function readReadIndexRequest(reader: Reader, { group, from, to }: Header): ReadIndexRequest {
	return { type: "read-index-request", group, from, to, term: reader.varint(), readId: reader.varint() };
}

export function writeReadIndexResponse(writer: Writer, message: ReadIndexResponse): void {
	writer.varint(message.term);
	writer.varint(message.readId);
	writer.varint(message.index);
	writer.varint(message.commitIndex);
}

export function readReadIndexResponse(reader: Reader, { group, from, to }: Header): ReadIndexResponse {
	const term = reader.varint();
	const readId = reader.varint();
	const index = reader.varint();
	const commitIndex = reader.varint();
	return { type: "read-index-response", group, from, to, term, readId, index, commitIndex };
}
