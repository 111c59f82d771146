/**
 * Requests passed to the leader, and their answers.
 *
 *   run-request   = requestId:varint streamId:varint inTransaction:bool foreignKeys:bool
 *                   interactive:bool snapshotIndex:option<varint> idempotencyKey:option<string>
 *                   acknowledgement:option timeoutMs:f64 program
 *   run-response  = requestId:varint ok:bool (position replayed:bool acknowledgement outcome | failure)
 *   acknowledgement = 0:u8 (async) | 1:u8 followers:varint (semi-sync) | 2:u8 (quorum)
 *                   | 3:u8 strict:bool (sync) | 4:u8 (chain)
 *   close-stream  = streamId:varint
 *   call-request  = requestId:varint operation:u8 (0 transfer, 1 cluster, 2 snapshot, 3 members, 20 setting,
 *                   21 step-down, 22 elections, 23 stand) body:string
 *   call-response = requestId:varint ok:bool (body:string | failure)
 *   failure       = code:string message:string outcome:u8 extendedCode:option<string> notLeader:bool
 *   outcome of a failure = 0 happened, 1 did-not-happen, 2 unknown
 */
import type { Acknowledgement } from "../../consensus/acknowledge/acknowledgement.ts";
import type {
	CallRequest,
	CallResponse,
	CloseStream,
	FailureReport,
	RunRequest,
	RunResponse,
} from "../message.ts";
import { type Header, readPosition, readString, writePosition, writeString } from "./envelope.ts";
import { readOutcome, readProgram, writeOutcome, writeProgram } from "./program.ts";
import type { Reader } from "./reader.ts";
import { malformed } from "./wire-error.ts";
import type { Writer } from "./writer.ts";

const outcomes: readonly FailureReport["outcome"][] = ["happened", "did-not-happen", "unknown"];
/** Never changed, never used again. */
const operationNumbers: { readonly [Operation in CallRequest["operation"]]: number } = {
	transfer: 0,
	cluster: 1,
	snapshot: 2,
	members: 3,
	setting: 20,
	"step-down": 21,
	elections: 22,
	stand: 23,
};

function writeFailure(writer: Writer, failure: FailureReport): void {
	writer.string(failure.code);
	writer.string(failure.message);
	writer.u8(outcomes.indexOf(failure.outcome));
	writer.option(failure.extendedCode, writeString);
	writer.bool(failure.notLeader);
}

function readFailure(reader: Reader): FailureReport {
	return {
		code: reader.string(),
		message: reader.string(),
		outcome: reader.choice(outcomes, "outcome"),
		extendedCode: reader.option(readString),
		notLeader: reader.bool(),
	};
}

const modes: readonly Acknowledgement["mode"][] = ["async", "semi-sync", "quorum", "sync", "chain"];

function writeAcknowledgement(writer: Writer, acknowledgement: Acknowledgement): void {
	writer.u8(modes.indexOf(acknowledgement.mode));
	if (acknowledgement.mode === "semi-sync") writer.varint(acknowledgement.followers);
	if (acknowledgement.mode === "sync") writer.bool(acknowledgement.strict);
}

function readAcknowledgement(reader: Reader): Acknowledgement {
	const mode = reader.choice(modes, "acknowledgement mode");
	if (mode === "sync") return { mode, strict: reader.bool() };
	if (mode !== "semi-sync") return { mode };
	const followers = reader.varint();
	if (followers === 0) throw malformed("semi-sync with no followers");
	return { mode, followers };
}

export function writeRunRequest(writer: Writer, message: RunRequest): void {
	writer.varint(message.requestId);
	writer.varint(message.streamId);
	writer.bool(message.inTransaction);
	writer.bool(message.foreignKeys);
	writer.bool(message.interactive);
	writer.option(message.snapshotIndex, (_, index) => writer.varint(index));
	writer.option(message.idempotencyKey, writeString);
	writer.option(message.acknowledgement, writeAcknowledgement);
	writer.f64(message.timeoutMs);
	writeProgram(writer, message.program);
}

export function readRunRequest(reader: Reader, { group, from, to }: Header): RunRequest {
	const requestId = reader.varint();
	const streamId = reader.varint();
	const inTransaction = reader.bool();
	const foreignKeys = reader.bool();
	const interactive = reader.bool();
	const snapshotIndex = reader.option(() => reader.varint());
	const idempotencyKey = reader.option(readString);
	const acknowledgement = reader.option(readAcknowledgement);
	const timeoutMs = reader.f64();
	if (!(timeoutMs >= 0)) throw malformed(`${timeoutMs} is not a time limit`);
	const program = readProgram(reader);
	return {
		type: "run-request",
		group,
		from,
		to,
		requestId,
		streamId,
		inTransaction,
		foreignKeys,
		program,
		interactive,
		snapshotIndex,
		idempotencyKey,
		acknowledgement,
		timeoutMs,
	};
}

export function writeRunResponse(writer: Writer, message: RunResponse): void {
	writer.varint(message.requestId);
	writer.bool(message.result.ok);
	if (message.result.ok) {
		writePosition(writer, message.result.position);
		writer.bool(message.result.replayed);
		writeAcknowledgement(writer, message.result.acknowledgement);
		writeOutcome(writer, message.result.outcome);
	} else {
		writeFailure(writer, message.result.failure);
	}
}

export function readRunResponse(reader: Reader, { group, from, to }: Header): RunResponse {
	const requestId = reader.varint();
	if (!reader.bool()) {
		const failure = readFailure(reader);
		return { type: "run-response", group, from, to, requestId, result: { ok: false, failure } };
	}
	const position = readPosition(reader);
	const replayed = reader.bool();
	const acknowledgement = readAcknowledgement(reader);
	const outcome = readOutcome(reader);
	return {
		type: "run-response",
		group,
		from,
		to,
		requestId,
		result: { ok: true, outcome, position, replayed, acknowledgement },
	};
}

export function writeCloseStream(writer: Writer, message: CloseStream): void {
	writer.varint(message.streamId);
}

export function readCloseStream(reader: Reader, { group, from, to }: Header): CloseStream {
	return { type: "close-stream", group, from, to, streamId: reader.varint() };
}

export function writeCallRequest(writer: Writer, message: CallRequest): void {
	writer.varint(message.requestId);
	writer.u8(operationNumbers[message.operation]);
	writer.string(message.body);
}

export function readCallRequest(reader: Reader, { group, from, to }: Header): CallRequest {
	const requestId = reader.varint();
	const number = reader.u8();
	const operation = operationOf(number);
	if (operation === null) throw malformed(`${number} is not an operation`);
	return { type: "call-request", group, from, to, requestId, operation, body: reader.string() };
}

function operationOf(number: number): CallRequest["operation"] | null {
	for (const [operation, its] of Object.entries(operationNumbers))
		if (its === number) return operation as CallRequest["operation"];
	return null;
}

export function writeCallResponse(writer: Writer, message: CallResponse): void {
	writer.varint(message.requestId);
	writer.bool(message.result.ok);
	if (message.result.ok) writer.string(message.result.body);
	else writeFailure(writer, message.result.failure);
}

export function readCallResponse(reader: Reader, { group, from, to }: Header): CallResponse {
	const requestId = reader.varint();
	const ok = reader.bool();
	const result: CallResponse["result"] = ok
		? { ok, body: reader.string() }
		: { ok, failure: readFailure(reader) };
	return { type: "call-response", group, from, to, requestId, result };
}
