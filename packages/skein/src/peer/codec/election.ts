/**
 * The messages of an election.
 *
 *   pre-vote-request  = term:varint last:position
 *   pre-vote-response = term:varint askedTerm:varint granted:bool
 *   vote-request      = term:varint last:position transfer:bool
 *   vote-response     = term:varint granted:bool
 *   timeout-now       = term:varint
 *   elector-message   = term:varint elector:u8 word:u8 candidate:name last:position round:varint
 *   elector           = 0 raft, 1 manual, 2 bully, 3 zab
 *   word              = 0 standing, 1 wait, 2 favourite
 */

import type {
	PreVoteRequest,
	PreVoteResponse,
	TimeoutNow,
	VoteRequest,
	VoteResponse,
} from "../../consensus/message.ts";
import { type ElectorMessage, electorWords } from "../../consensus/message.ts";
import { electorNames } from "../../consensus/types.ts";
import { type Header, readPosition, writePosition } from "./envelope.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export function writePreVoteRequest(writer: Writer, message: PreVoteRequest): void {
	writer.varint(message.term);
	writePosition(writer, message.last);
}

export function readPreVoteRequest(reader: Reader, { group, from, to }: Header): PreVoteRequest {
	return { type: "pre-vote-request", group, from, to, term: reader.varint(), last: readPosition(reader) };
}

export function writePreVoteResponse(writer: Writer, message: PreVoteResponse): void {
	writer.varint(message.term);
	writer.varint(message.askedTerm);
	writer.bool(message.granted);
}

export function readPreVoteResponse(reader: Reader, { group, from, to }: Header): PreVoteResponse {
	const term = reader.varint();
	const askedTerm = reader.varint();
	return { type: "pre-vote-response", group, from, to, term, askedTerm, granted: reader.bool() };
}

export function writeVoteRequest(writer: Writer, message: VoteRequest): void {
	writer.varint(message.term);
	writePosition(writer, message.last);
	writer.bool(message.transfer);
}

export function readVoteRequest(reader: Reader, { group, from, to }: Header): VoteRequest {
	const term = reader.varint();
	const last = readPosition(reader);
	return { type: "vote-request", group, from, to, term, last, transfer: reader.bool() };
}

export function writeVoteResponse(writer: Writer, message: VoteResponse): void {
	writer.varint(message.term);
	writer.bool(message.granted);
}

export function readVoteResponse(reader: Reader, { group, from, to }: Header): VoteResponse {
	return { type: "vote-response", group, from, to, term: reader.varint(), granted: reader.bool() };
}

export function writeTimeoutNow(writer: Writer, message: TimeoutNow): void {
	writer.varint(message.term);
}

export function readTimeoutNow(reader: Reader, { group, from, to }: Header): TimeoutNow {
	return { type: "timeout-now", group, from, to, term: reader.varint() };
}

export function writeElectorMessage(writer: Writer, { term, elector, hint }: ElectorMessage): void {
	writer.varint(term);
	writer.u8(electorNames.indexOf(elector));
	writer.u8(electorWords.indexOf(hint.word));
	writer.name(hint.candidate);
	writePosition(writer, hint.last);
	writer.varint(hint.round);
}

export function readElectorMessage(reader: Reader, { group, from, to }: Header): ElectorMessage {
	const term = reader.varint();
	const elector = reader.choice(electorNames, "elector");
	const word = reader.choice(electorWords, "word of an elector");
	const candidate = reader.name();
	const last = readPosition(reader);
	const hint = { word, candidate, last, round: reader.varint() };
	return { type: "elector-message", group, from, to, term, elector, hint };
}
