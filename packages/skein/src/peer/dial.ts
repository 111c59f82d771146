/**
 * One outgoing connection: dials a peer for one lane, proves, sends, and dials again when it is
 * lost, with exponential back-off and jitter.
 *
 *   waiting → connecting → handshaking → ready → waiting …
 */
import { connect, type Socket } from "node:net";
import type { Timer } from "../world/clock.ts";
import type { Lane } from "../world/network.ts";
import { versionsText } from "./codec/wire-version.ts";
import type { PeerContext } from "./context.ts";
import { createFrameWriter, type FrameWriter } from "./frame-writer.ts";
import {
	anotherDisk,
	decodeChallenge,
	decodeRefusal,
	encodeHello,
	encodeRefusal,
	HandshakeError,
	makeProof,
	packMessage,
	proofHolds,
	recoveredBy,
	takeMessage,
	wayBack,
} from "./handshake.ts";
import type { PeerAddress } from "./peer-address.ts";

export interface OutgoingLane {
	readonly ready: () => boolean;
	/** Of the connection that stands; null: there is none. */
	wireVersion(): number | null;
	send(bytes: Uint8Array): boolean;
	queuedBytes(): number;
	/** The peer has shown up: dial now. */
	hurry(): void;
	/** Called every receipt interval: ends a stalled connection. */
	sweep(): void;
	stop(): void;
}

interface Connection {
	readonly socket: Socket;
	/** Null: the handshake is not over. */
	writer: FrameWriter | null;
	/** The version that both sides know. */
	wire: number;
}

/** A connection that lived so long ends a row of failures. */
const livedMs = 1_000;
const keepAliveDelayMs = 10_000;

export function dialPeer(
	context: PeerContext,
	peer: PeerAddress,
	lane: Lane,
	onReady: (ready: boolean) => void,
): OutgoingLane {
	const { clock, limits, log } = context;
	const fields = { peer: peer.id, address: `${peer.host}:${peer.port}`, lane };
	let stopped = false;
	let failures = 0;
	let retry: Timer | null = null;
	let current: Connection | null = null;

	function dial(): void {
		retry = null;
		// TLS would wrap the socket here, and the server's in tcp-network.ts; nothing else knows.
		const socket = connect({
			host: peer.host,
			port: peer.port,
			noDelay: true,
			keepAlive: true,
			keepAliveInitialDelay: keepAliveDelayMs,
		});
		const connection: Connection = { socket, writer: null, wire: context.wire.oldest };
		current = connection;
		let failure: Error | null = null;
		let readyAt: number | null = null;
		const deadline = clock.setTimer(limits.handshakeTimeoutMs, () => {
			fail(new HandshakeError("timeout", "no connection and handshake in time"));
		});

		function fail(error: Error): void {
			failure ??= error;
			socket.destroy();
		}

		const handshake = createDialerHandshake(context, peer, lane, socket);
		socket.on("connect", () => socket.write(handshake.hello));
		socket.on("data", (chunk: Buffer) => {
			try {
				if (connection.writer !== null) {
					connection.writer.receive(chunk);
					return;
				}
				const rest = handshake.push(chunk);
				if (rest === null) return;
				connection.wire = handshake.wire();
				connection.writer = createFrameWriter(socket, lane, clock, limits);
				connection.writer.receive(rest);
			} catch (error) {
				if (!(error instanceof Error)) throw error;
				if (!(error instanceof HandshakeError) || error.byPeer) return fail(error);
				// The deadline stays on, in case the peer does not close.
				failure ??= error;
				socket.end(packMessage("refuse", encodeRefusal(error)));
				return;
			}
			deadline.cancel();
			readyAt = clock.now();
			if (lane === "control") log.info(fields, "connected to peer");
			onReady(true);
		});
		socket.on("error", (error) => {
			failure ??= error;
		});
		socket.on("close", () => {
			deadline.cancel();
			current = null;
			const wasReady = connection.writer !== null;
			connection.writer?.close();
			if (stopped) return;
			if (wasReady && lane === "control")
				log.info({ ...fields, ...describe(failure) }, "lost the connection to a peer");
			if (!wasReady) warnOfFailure(failure);
			failures = readyAt !== null && clock.now() - readyAt >= livedMs ? 0 : failures + 1;
			waitAndDial();
			if (wasReady) onReady(false);
		});
	}

	function warnOfFailure(failure: Error | null): void {
		const refusal = failure instanceof HandshakeError ? failure : null;
		const { reason } = describe(failure);
		const message = refusal === null ? "cannot connect to a peer" : "the handshake with a peer failed";
		const lost = refusal?.byPeer === true ? context.identity.nodeId : peer.id;
		const hint = refusal === null ? {} : wayBack(refusal.reason, lost);
		context.warnOnce(`dial ${peer.id} ${reason}`, { ...fields, ...describe(failure), ...hint }, message);
	}

	function waitAndDial(): void {
		const ceiling = Math.min(limits.maxReconnectMs, limits.minReconnectMs * 2 ** Math.min(failures, 20));
		// Between half and all of it, so that a cluster which lost a node does not dial it in step.
		const delayMs = ceiling / 2 + context.random.below(Math.max(1, Math.ceil(ceiling / 2)));
		retry = clock.setTimer(delayMs, dial);
	}

	dial();

	return {
		ready: () => current?.writer !== null && current !== null,
		wireVersion: () => (current === null || current.writer === null ? null : current.wire),
		send(bytes) {
			const writer = current?.writer;
			if (writer === null || writer === undefined) return false;
			if (writer.send(bytes)) return true;
			// A full control lane means that the peer reads nothing: old heartbeats help nobody.
			if (lane === "control" && bytes.length <= limits.maxMessageBytes.control) {
				context.warnOnce(`full ${peer.id}`, fields, "the control lane to a peer is full: connecting anew");
				current?.socket.destroy();
			}
			return false;
		},
		queuedBytes: () => current?.writer?.queuedBytes() ?? 0,
		hurry() {
			if (stopped || retry === null) return;
			retry.cancel();
			failures = 0;
			dial();
		},
		sweep() {
			if (current?.writer?.stalled() !== true) return;
			context.warnOnce(
				`stall ${peer.id}`,
				fields,
				"a peer has confirmed no bytes for too long: connecting anew",
			);
			current.socket.destroy();
		},
		stop() {
			stopped = true;
			retry?.cancel();
			current?.socket.destroy();
		},
	};
}

function describe(error: Error | null): { reason: string; detail: string } {
	if (error instanceof HandshakeError) {
		return {
			reason: error.reason,
			detail: error.byPeer ? `refused by the peer: ${error.message}` : error.message,
		};
	}
	if (error === null) return { reason: "closed", detail: "the other side closed the connection" };
	return { reason: "code" in error ? String(error.code) : error.name, detail: error.message };
}

interface DialerHandshake {
	readonly hello: Buffer;
	/** What the peer chose, once it has. */
	wire(): number;
	/** Null: goes on. Else done, with the bytes that came after. Throws HandshakeError. */
	push(chunk: Buffer): Buffer | null;
}

function createDialerHandshake(
	context: PeerContext,
	peer: PeerAddress,
	lane: Lane,
	socket: Socket,
): DialerHandshake {
	const { identity, secret } = context;
	const hello = encodeHello({
		...identity,
		target: peer.id,
		version: context.version,
		lane,
		minWire: context.wire.oldest,
		maxWire: context.wire.newest,
		secured: secret !== null,
		nonce: context.random.bytes(32),
	});
	let data = Buffer.alloc(0);
	let expected: "challenge" | "welcome" = "challenge";
	let chosen = context.wire.oldest;

	function onChallenge(body: Buffer): void {
		const { challenge, signed, proof } = decodeChallenge(body);
		if (challenge.clusterId !== identity.clusterId) {
			throw new HandshakeError("foreign-cluster", `it belongs to cluster ${challenge.clusterId}`);
		}
		if (challenge.nodeId !== peer.id) {
			throw new HandshakeError("wrong-target", `it is node ${challenge.nodeId}, not ${peer.id}`);
		}
		if (challenge.wire < context.wire.oldest || challenge.wire > context.wire.newest) {
			const spoken = versionsText(context.wire);
			throw new HandshakeError("wire-version", `it chose wire version ${challenge.wire}, not ${spoken}`);
		}
		chosen = challenge.wire;
		if (secret !== null && !proofHolds(makeProof(secret, "acceptor", hello, signed), proof)) {
			throw new HandshakeError("wrong-secret", "it does not know the cluster's secret");
		}
		if (!context.onIncarnation(peer.id, challenge.incarnation)) {
			throw anotherDisk(peer.id);
		}
		socket.write(packMessage("proof", makeProof(secret, "dialer", hello, signed)));
	}

	function refused(body: Buffer): HandshakeError {
		const error = decodeRefusal(body);
		const by = recoveredBy(secret, hello, error);
		if (by !== null) context.onSuperseded(by);
		return error;
	}

	return {
		hello: packMessage("hello", hello),
		wire: () => chosen,
		push(chunk) {
			data = Buffer.concat([data, chunk]);
			for (;;) {
				const taken = takeMessage(data);
				if (taken === null) return null;
				data = Buffer.from(taken.rest);
				const { type, body } = taken.message;
				if (type === "refuse") throw refused(body);
				if (type !== expected) throw new HandshakeError("bad-handshake", `${type} came, not ${expected}`);
				if (type === "welcome") return data;
				onChallenge(body);
				expected = "welcome";
			}
		},
	};
}
