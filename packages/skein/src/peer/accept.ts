/**
 * One incoming connection: checks who dials, proves in turn, then reads frames and hands the
 * messages on. It only receives; what it writes are the handshake and receipts.
 */
import type { Socket } from "node:net";
import type { NodeId } from "../consensus/types.ts";
import type { Lane } from "../world/network.ts";
import { WireError } from "./codec/wire-error.ts";
import { commonVersion, versionsText } from "./codec/wire-version.ts";
import type { PeerContext } from "./context.ts";
import { createFrameReader, FrameError } from "./frame.ts";
import {
	anotherDisk,
	clusterWasRecovered,
	decodeHello,
	decodeRefusal,
	encodeChallenge,
	encodeRefusal,
	HandshakeError,
	type Hello,
	makeProof,
	packMessage,
	proofHolds,
	takeMessage,
	wayBack,
} from "./handshake.ts";
import { createInflater } from "./inflater.ts";
import { encodeReceipt } from "./receipt.ts";

export interface IncomingConnection {
	/** Called every receipt interval. */
	sweep(): void;
	destroy(): void;
}

export interface AcceptEvents {
	isMember(node: NodeId): boolean;
	/** The handshake is over: well, with who it is and for what, or not. Called once. */
	onHandshake(authenticated: { readonly node: NodeId; readonly lane: Lane } | null): void;
	onMessage(from: NodeId, lane: Lane, bytes: Uint8Array): void;
	onClose(): void;
}

export function acceptConnection(
	context: PeerContext,
	socket: Socket,
	events: AcceptEvents,
): IncomingConnection {
	const { clock, limits } = context;
	const address = socket.remoteAddress ?? "unknown";
	let state: "handshaking" | "open" | "refused" = "handshaking";
	let receivedBytes = 0;
	let confirmedBytes = 0;
	let receiveFrames: ((chunk: Buffer) => void) | null = null;
	const handshake = createAcceptorHandshake(context, socket, (node) => events.isMember(node));
	const deadline = clock.setTimer(limits.handshakeTimeoutMs, () => {
		if (state === "handshaking") refuse(new HandshakeError("timeout", "no handshake in time"));
		socket.destroy();
	});

	function refuse(error: HandshakeError): void {
		state = "refused";
		const peer = handshake.claimedNode() ?? address;
		const detail = error.byPeer ? `refused by the peer: ${error.message}` : error.message;
		const lost = error.byPeer ? context.identity.nodeId : peer;
		const fields = { peer, address, reason: error.reason, detail, ...wayBack(error.reason, lost) };
		context.warnOnce(`accept ${peer} ${error.reason}`, fields, "refused a connection");
		// The deadline stays on: whoever does not close after this is cut off then.
		if (error.byPeer) socket.destroy();
		else if (error.reason === "not-skein")
			socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
		else socket.end(packMessage("refuse", encodeRefusal(error)));
		events.onHandshake(null);
	}

	function open(hello: Hello, rest: Buffer): void {
		const { nodeId: node, lane } = hello;
		deadline.cancel();
		state = "open";
		const deliver = (bytes: Uint8Array): void => {
			if (!socket.destroyed) events.onMessage(node, lane, bytes);
		};
		const fail = (error: unknown): void => {
			// Anything else is a fault of ours, and must end the process rather than a connection.
			if (!(error instanceof FrameError || error instanceof WireError)) throw error;
			const fields = { peer: node, address, lane, detail: error.message };
			context.warnOnce(
				`frame ${node} ${error.name}`,
				fields,
				"bytes from a peer make no sense: connection closed",
			);
			socket.destroy();
		};
		const inflater = createInflater(socket, limits.maxMessageBytes[lane], deliver, fail);
		const reader = createFrameReader(limits.maxMessageBytes[lane], (body, flags) => {
			if (lane === "bulk") inflater.push(body, flags);
			else if (flags === 0) deliver(body);
			else throw new FrameError(`a compressed frame on the ${lane} lane`);
		});
		receiveFrames = (chunk) => {
			receivedBytes += chunk.length;
			try {
				reader.push(chunk);
			} catch (error) {
				fail(error);
			}
		};
		events.onHandshake({ node, lane });
		if (rest.length > 0) receiveFrames(rest);
	}

	socket.on("data", (chunk: Buffer) => {
		if (receiveFrames !== null) return receiveFrames(chunk);
		if (state === "refused") return;
		let done: ReturnType<typeof handshake.push>;
		try {
			done = handshake.push(chunk);
		} catch (error) {
			if (!(error instanceof HandshakeError)) throw error;
			refuse(error);
			return;
		}
		if (done !== null) open(done.hello, done.rest);
	});
	// What went wrong matters little here: the dialer is who notices, tells and dials again.
	socket.on("error", (error) =>
		context.log.debug({ address, detail: error.message }, "an incoming connection failed"),
	);
	socket.on("close", () => {
		deadline.cancel();
		if (state === "handshaking") {
			state = "refused";
			events.onHandshake(null);
		}
		events.onClose();
	});

	return {
		sweep() {
			if (state !== "open" || receivedBytes === confirmedBytes) return;
			// A dialer that does not read its receipts gets no more: nothing may gather here.
			if (socket.writableLength > 0) return;
			confirmedBytes = receivedBytes;
			socket.write(encodeReceipt(receivedBytes));
		},
		destroy: () => socket.destroy(),
	};
}

function createAcceptorHandshake(context: PeerContext, socket: Socket, isMember: (node: NodeId) => boolean) {
	const { identity, secret } = context;
	let data = Buffer.alloc(0);
	let claimed: Hello | null = null;
	let helloBytes: Buffer = Buffer.alloc(0);
	let challengeBytes: Buffer = Buffer.alloc(0);

	function checkHello(hello: Hello, bytes: Uint8Array): void {
		if (context.recoveredFrom.includes(hello.clusterId)) {
			throw clusterWasRecovered(secret, bytes, identity.clusterId);
		}
		if (hello.clusterId !== identity.clusterId) {
			throw new HandshakeError("foreign-cluster", `this is cluster ${identity.clusterId}`);
		}
		if (hello.target !== identity.nodeId) {
			throw new HandshakeError("wrong-target", `this is node ${identity.nodeId}`);
		}
		if (hello.nodeId === identity.nodeId) throw new HandshakeError("own-id", "this node has the same id");
		if (!isMember(hello.nodeId)) throw new HandshakeError("unknown-node", "no such node in this cluster");
		versionFor(hello);
		if (hello.secured !== (secret !== null)) {
			const has = secret === null ? "no secret is" : "a secret is";
			throw new HandshakeError("secret-mismatch", `${has} configured here`);
		}
	}

	function versionFor(hello: Hello): number {
		const theirs = { oldest: hello.minWire, newest: hello.maxWire };
		const version = commonVersion(context.wire, theirs);
		if (version !== null) return version;
		const text = `wire version ${versionsText(context.wire)} is spoken here, ${versionsText(theirs)} there`;
		throw new HandshakeError("wire-version", `${text}: upgrade one step at a time`);
	}

	function onHello(body: Buffer): void {
		const hello = decodeHello(body);
		claimed = hello;
		checkHello(hello, body);
		helloBytes = Buffer.from(body);
		challengeBytes = encodeChallenge({
			...identity,
			version: context.version,
			wire: versionFor(hello),
			nonce: context.random.bytes(32),
		});
		const proof = makeProof(secret, "acceptor", helloBytes, challengeBytes);
		socket.write(packMessage("challenge", Buffer.concat([challengeBytes, proof])));
	}

	function onProof(hello: Hello, body: Buffer): void {
		if (secret !== null && !proofHolds(makeProof(secret, "dialer", helloBytes, challengeBytes), body)) {
			throw new HandshakeError("wrong-secret", "the proof of the cluster's secret is wrong");
		}
		if (!context.onIncarnation(hello.nodeId, hello.incarnation)) {
			throw anotherDisk(hello.nodeId);
		}
		socket.write(packMessage("welcome", Buffer.alloc(0)));
	}

	return {
		/** Not proved; for the log. */
		claimedNode: (): NodeId | null => claimed?.nodeId.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 64) ?? null,
		/** Null: goes on. Throws HandshakeError. */
		push(chunk: Buffer): { hello: Hello; rest: Buffer } | null {
			data = Buffer.concat([data, chunk]);
			for (;;) {
				const taken = takeMessage(data);
				if (taken === null) return null;
				data = Buffer.from(taken.rest);
				const { type, body } = taken.message;
				if (type === "refuse") throw decodeRefusal(body);
				if (claimed === null && type === "hello") {
					onHello(body);
				} else if (claimed !== null && type === "proof") {
					onProof(claimed, body);
					return { hello: claimed, rest: data };
				} else {
					throw new HandshakeError("bad-handshake", `${type} came at the wrong time`);
				}
			}
		},
	};
}
