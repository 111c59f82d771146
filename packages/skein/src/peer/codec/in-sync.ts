/**
 * What mode `sync` waits for: that a member has applied what is committed.
 *
 *   apply-request    = term:varint index:varint
 *   applied-response = term:varint round:varint appliedIndex:varint
 */
import type { AppliedResponse, ApplyRequest } from "../../consensus/message.ts";
import type { Header } from "./envelope.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export function writeApplyRequest(writer: Writer, message: ApplyRequest): void {
	writer.varint(message.term);
	writer.varint(message.index);
}

export function readApplyRequest(reader: Reader, { group, from, to }: Header): ApplyRequest {
	const term = reader.varint();
	return { type: "apply-request", group, from, to, term, index: reader.varint() };
}

export function writeAppliedResponse(writer: Writer, message: AppliedResponse): void {
	writer.varint(message.term);
	writer.varint(message.round);
	writer.varint(message.appliedIndex);
}

export function readAppliedResponse(reader: Reader, { group, from, to }: Header): AppliedResponse {
	const term = reader.varint();
	const round = reader.varint();
	return { type: "applied-response", group, from, to, term, round, appliedIndex: reader.varint() };
}
