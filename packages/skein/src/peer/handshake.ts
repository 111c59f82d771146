/**
 * The messages with which two nodes make sure of each other before the first frame, and the proof
 * of the shared secret. Pure bytes; who sends what when is in dial.ts and accept.ts.
 *
 *   dialer                                     acceptor
 *     hello     ids, lane, versions, nonce  →
 *                                           ←  challenge  ids, version chosen, nonce, proof
 *     proof     proof                       →
 *                                           ←  welcome                     then frames flow
 *   Either says `refuse` (reason, text) instead of its next message, and closes.
 *
 *   message = "SKEIN\n" type:u8 length:u16 body[length]        type: 1 hello, 2 challenge, 3 proof, 4 welcome, 5 refuse
 *   hello     = format:u8(=1) cluster:text node:text incarnation:text target:text version:text
 *               lane:u8 minWire:u8 maxWire:u8 secured:u8 nonce[32]
 *   challenge = cluster:text node:text incarnation:text version:text wire:u8 nonce[32] proof[32]
 *   proof     = proof[32]
 *   refuse    = reason:text text:text proof[32]                  the proof with the reason "recovered" only
 *   text      = length:u8 UTF-8
 *
 *   proof = HMAC-SHA256(secret, label 0x00 length(hello):u32 hello length(challenge):u32 challenge-without-its-proof)
 *   label = "skein acceptor" or "skein dialer", of a refusal "skein recovered" over hello and its text; without a secret the proofs are zeros and not looked at
 *
 * Both proofs cover all that both sides said (ids, lane, versions and both fresh nonces), so a proof
 * cannot be replayed, sent back, or used for another node or lane. The secret is never sent. But who
 * hears a handshake can try secrets at home: it must be long and random.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { NodeId } from "../consensus/types.ts";
import { type Lane, lanes } from "../world/network.ts";

const magic = Buffer.from("SKEIN\n", "latin1");
const handshakeFormat = 1;
const nonceBytes = 32;
const proofBytes = 32;
const headerBytes = magic.length + 3;
const maxBodyBytes = 2048;

export type RefusalReason =
	| "not-skein"
	| "bad-handshake"
	| "foreign-cluster"
	| "wrong-target"
	| "own-id"
	| "unknown-node"
	| "wire-version"
	| "secret-mismatch"
	| "wrong-secret"
	| "incarnation"
	| "recovered"
	| "timeout"
	| "busy";

const reasons: readonly RefusalReason[] = [
	"not-skein",
	"bad-handshake",
	"foreign-cluster",
	"wrong-target",
	"own-id",
	"unknown-node",
	"wire-version",
	"secret-mismatch",
	"wrong-secret",
	"incarnation",
	"recovered",
	"timeout",
	"busy",
];

/** Why a handshake ended; `toPeer` is what the peer may be told. */
export class HandshakeError extends Error {
	readonly reason: RefusalReason;
	/** The peer said it; else we did. */
	readonly byPeer: boolean;
	/** With the reason `recovered`: that whoever says it knows the cluster's secret. */
	readonly proof: Buffer | null;

	constructor(reason: RefusalReason, message: string, byPeer = false, proof: Buffer | null = null) {
		super(message);
		this.name = "HandshakeError";
		this.reason = reason;
		this.byPeer = byPeer;
		this.proof = proof;
	}
}

/** The peer's cluster was given up, and ours made from a survivor of it: told with proof, since the peer stops for good. */
export function clusterWasRecovered(
	secret: string | null,
	hello: Uint8Array,
	clusterId: string,
): HandshakeError {
	const proof = makeProof(secret, "recovered", hello, Buffer.from(clusterId, "utf8"));
	return new HandshakeError("recovered", clusterId, false, proof);
}

/** The cluster that went on without ours; null: it is not said, or not proved. */
export function recoveredBy(secret: string | null, hello: Uint8Array, error: HandshakeError): string | null {
	if (error.reason !== "recovered" || error.proof === null) return null;
	const expected = makeProof(secret, "recovered", hello, Buffer.from(error.message, "utf8"));
	return proofHolds(expected, error.proof) ? error.message : null;
}

/** Told to both sides: it is what whoever runs the node must hear. */
export function anotherDisk(node: NodeId): HandshakeError {
	return new HandshakeError(
		"incarnation",
		`${node} has lost its disk: it does not know what the ${node} of before had promised, and must join under a new id`,
	);
}

export interface Hello {
	readonly clusterId: string;
	readonly nodeId: string;
	readonly incarnation: string;
	readonly target: string;
	readonly version: string;
	readonly lane: Lane;
	readonly minWire: number;
	readonly maxWire: number;
	readonly secured: boolean;
	readonly nonce: Uint8Array;
}

export interface Challenge {
	readonly clusterId: string;
	readonly nodeId: string;
	readonly incarnation: string;
	readonly version: string;
	readonly wire: number;
	readonly nonce: Uint8Array;
}

export type HandshakeType = "hello" | "challenge" | "proof" | "welcome" | "refuse";
const types: readonly HandshakeType[] = ["hello", "challenge", "proof", "welcome", "refuse"];

export interface HandshakeMessage {
	readonly type: HandshakeType;
	readonly body: Buffer;
}

export function packMessage(type: HandshakeType, body: Uint8Array): Buffer {
	const header = Buffer.alloc(headerBytes);
	magic.copy(header);
	header.writeUInt8(types.indexOf(type) + 1, magic.length);
	header.writeUInt16LE(body.length, magic.length + 1);
	return Buffer.concat([header, body]);
}

/** The first message in `data` and what follows it; null: not all of it is there yet. */
export function takeMessage(data: Buffer): { message: HandshakeMessage; rest: Buffer } | null {
	const seen = Math.min(data.length, magic.length);
	if (data.compare(magic, 0, seen, 0, seen) !== 0)
		throw new HandshakeError("not-skein", describeStranger(data));
	if (data.length < headerBytes) return null;
	const type = types[data.readUInt8(magic.length) - 1];
	const length = data.readUInt16LE(magic.length + 1);
	if (type === undefined || length > maxBodyBytes) {
		throw new HandshakeError("bad-handshake", "a handshake message of unknown type or too long");
	}
	if (data.length < headerBytes + length) return null;
	const end = headerBytes + length;
	return { message: { type, body: data.subarray(headerBytes, end) }, rest: data.subarray(end) };
}

function describeStranger(data: Buffer): string {
	const start = data.toString("latin1", 0, 8);
	if (/^(GET|POST|PUT|HEAD|OPTI|HTTP|PRI)/.test(start)) {
		return "the other side speaks HTTP; this is the port between nodes";
	}
	if (data[0] === 0x16 && data[1] === 0x03) return "the other side speaks TLS; this port does not";
	return "the other side does not speak Skein's protocol between nodes";
}

function text(value: string): Buffer {
	const bytes = Buffer.from(value, "utf8");
	if (bytes.length > 255) throw new Error(`too long for a handshake: ${value.slice(0, 80)}…`);
	return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

/** A cursor over a body; every step checks what is left. */
function createBodyReader(body: Buffer) {
	let offset = 0;
	function bytes(length: number): Buffer {
		if (length > body.length - offset)
			throw new HandshakeError("bad-handshake", "a handshake message is cut short");
		offset += length;
		return body.subarray(offset - length, offset);
	}
	const u8 = (): number => bytes(1).readUInt8(0);
	return {
		bytes,
		u8,
		text: (): string => bytes(u8()).toString("utf8"),
		end() {
			if (offset !== body.length)
				throw new HandshakeError("bad-handshake", "a handshake message is too long");
		},
	};
}

export function encodeHello(hello: Hello): Buffer {
	return Buffer.concat([
		Buffer.of(handshakeFormat),
		text(hello.clusterId),
		text(hello.nodeId),
		text(hello.incarnation),
		text(hello.target),
		text(hello.version),
		Buffer.of(lanes.indexOf(hello.lane), hello.minWire, hello.maxWire, hello.secured ? 1 : 0),
		hello.nonce,
	]);
}

export function decodeHello(body: Buffer): Hello {
	const reader = createBodyReader(body);
	const format = reader.u8();
	if (format !== handshakeFormat) {
		throw new HandshakeError("wire-version", `a handshake of format ${format}; this is ${handshakeFormat}`);
	}
	const clusterId = reader.text();
	const nodeId = reader.text();
	const incarnation = reader.text();
	const target = reader.text();
	const version = reader.text();
	const lane = lanes[reader.u8()];
	if (lane === undefined) throw new HandshakeError("bad-handshake", "an unknown lane");
	const minWire = reader.u8();
	const maxWire = reader.u8();
	const secured = reader.u8() === 1;
	const nonce = reader.bytes(nonceBytes);
	reader.end();
	return { clusterId, nodeId, incarnation, target, version, lane, minWire, maxWire, secured, nonce };
}

export function encodeChallenge(challenge: Challenge): Buffer {
	return Buffer.concat([
		text(challenge.clusterId),
		text(challenge.nodeId),
		text(challenge.incarnation),
		text(challenge.version),
		Buffer.of(challenge.wire),
		challenge.nonce,
	]);
}

/** `signed`: the bytes that the proofs cover. */
export function decodeChallenge(body: Buffer): { challenge: Challenge; signed: Buffer; proof: Buffer } {
	const reader = createBodyReader(body);
	const clusterId = reader.text();
	const nodeId = reader.text();
	const incarnation = reader.text();
	const version = reader.text();
	const wire = reader.u8();
	const nonce = reader.bytes(nonceBytes);
	const proof = reader.bytes(proofBytes);
	reader.end();
	const signed = body.subarray(0, body.length - proofBytes);
	return { challenge: { clusterId, nodeId, incarnation, version, wire, nonce }, signed, proof };
}

/** For the log of either side. Who lost its disk forgot what it promised, and must not take part under that name again. */
export function wayBack(reason: RefusalReason, node: NodeId): { readonly hint?: string } {
	if (reason !== "incarnation") return {};
	return {
		hint: `${node} lost its disk, or another node has its name. It comes back under a new one: skein start --id NEW --join URL-OF-A-NODE --peer HOST:PORT, and then: skein member remove ${node}`,
	};
}

export function encodeRefusal({ reason, message, proof }: HandshakeError): Buffer {
	const limit = reason === "recovered" ? 255 : 80;
	return Buffer.concat([text(reason), text(message.slice(0, limit)), proof ?? Buffer.alloc(0)]);
}

export function decodeRefusal(body: Buffer): HandshakeError {
	const reader = createBodyReader(body);
	const word = reader.text();
	const reason = reasons.find((candidate) => candidate === word) ?? "bad-handshake";
	// Into our log, so nothing but printable characters.
	const message = reader.text().replaceAll(/[^\x20-\x7e]/g, "?");
	return new HandshakeError(reason, message, true, reason === "recovered" ? reader.bytes(proofBytes) : null);
}

export function makeProof(
	secret: string | null,
	side: "acceptor" | "dialer" | "recovered",
	hello: Uint8Array,
	challenge: Uint8Array,
): Buffer {
	if (secret === null) return Buffer.alloc(proofBytes);
	const lengths = Buffer.alloc(8);
	lengths.writeUInt32LE(hello.length, 0);
	lengths.writeUInt32LE(challenge.length, 4);
	return createHmac("sha256", secret)
		.update(`skein ${side}\0`)
		.update(lengths.subarray(0, 4))
		.update(hello)
		.update(lengths.subarray(4))
		.update(challenge)
		.digest();
}

export function proofHolds(expected: Buffer, proof: Buffer): boolean {
	return proof.length === expected.length && timingSafeEqual(expected, proof);
}
