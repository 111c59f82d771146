/** Who is not let in, what both sides log about it, and how often. */
import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { wireVersion } from "./codec/message.ts";
import { wireVersions } from "./codec/wire-version.ts";
import {
	decodeRefusal,
	encodeHello,
	encodeRefusal,
	HandshakeError,
	packMessage,
	type RefusalReason,
	takeMessage,
} from "./handshake.ts";
import { freePorts, startNode, type TestNode, until } from "./peer.testing.ts";
import type { TcpNetworkOptions } from "./tcp-network.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
	await Promise.all(running.splice(0).map((network) => network.stop()));
});

async function start(...given: Parameters<typeof startNode>): Promise<TestNode> {
	const node = await startNode(...given);
	running.push(node.network);
	return node;
}

async function twoPorts(): Promise<{ n1: number; n2: number }> {
	const [n1 = 0, n2 = 0] = await freePorts(2);
	return { n1, n2 };
}

function identity(nodeId: string, clusterId = "c1"): TcpNetworkOptions["identity"] {
	return { clusterId, nodeId, incarnation: `${nodeId}-first` };
}

const warnings = (node: TestNode, reason: RefusalReason): number =>
	node.lines.filter(({ level, fields }) => level === "warn" && fields["reason"] === reason).length;

interface Case {
	readonly reason: RefusalReason;
	readonly n1?: Partial<TcpNetworkOptions>;
	readonly n2?: Partial<TcpNetworkOptions>;
}

const cases: readonly Case[] = [
	{ reason: "foreign-cluster", n2: { identity: identity("n2", "c2") } },
	{ reason: "wrong-secret", n2: { secret: "another" } },
	{ reason: "secret-mismatch", n2: { secret: null } },
	{ reason: "wrong-target", n2: { identity: identity("n9") } },
	{ reason: "incarnation", n2: { onIncarnation: (_, incarnation) => incarnation !== "n1-first" } },
	{ reason: "own-id", n2: { identity: identity("n1") } },
];

test.each(cases)("$reason: refused, said to both, logged once", async ({ reason, n1 = {}, n2 = {} }) => {
	const ports = await twoPorts();
	const a = await start("n1", ports, n1);
	const b = await start("n2", ports, n2);
	// own-id: it dials n1 as n2's peer; wrong-target is what n1 then hears about n2.
	const heardByDialer = reason === "own-id" ? "wrong-target" : reason;
	await until(() => warnings(a, heardByDialer) > 0, "a line at the dialer");
	if (reason === "own-id") await until(() => warnings(a, "own-id") > 0, "a line at the real n1");
	await until(() => warnings(b, heardByDialer) > 0, "a line at the acceptor");
	await new Promise((resolve) => setTimeout(resolve, 300));
	for (const node of [a, b]) {
		expect(warnings(node, heardByDialer)).toBeLessThanOrEqual(2);
		expect(node.reachable.filter((line) => line === "+n2")).toEqual([]);
	}
	expect(a.network.send("n2", "control", Buffer.from("x"))).toBe(false);
	expect(b.received).toEqual([]);
});

test("who has lost its disk is told so", async () => {
	const ports = await twoPorts();
	const a = await start("n1", ports);
	await start("n2", ports, { onIncarnation: (_, incarnation) => incarnation !== "n1-first" });
	const told = () =>
		a.lines.filter(({ fields }) => String(fields["detail"]).includes("n1 has lost its disk"));
	await until(() => told().length > 0, "a line at the node itself");
	expect(told()[0]?.level).toBe("warn");
});

test("a node that is not in the list of peers is refused", async () => {
	const ports = await twoPorts();
	const a = await start("n3", { ...ports, n3: 0 });
	const b = await start("n2", ports);
	await until(() => warnings(b, "unknown-node") === 1, "a line at the acceptor");
	// The dialer says it when the refusal has come back: later than the acceptor.
	await until(() => warnings(a, "unknown-node") === 1, "a line at the dialer");
	expect(a.network.send("n2", "control", Buffer.from("x"))).toBe(false);
});

test("the incarnation is asked about only after the proof, with what the peer proved", async () => {
	const ports = await twoPorts();
	const asked: string[] = [];
	const onIncarnation = (node: string, incarnation: string): boolean => {
		asked.push(`${node} ${incarnation}`);
		return true;
	};
	await start("n1", ports, { secret: "wrong" });
	const b = await start("n2", ports, { onIncarnation });
	await until(() => warnings(b, "wrong-secret") > 0, "the refusal");
	expect(asked).toEqual([]);
	await Promise.all(running.splice(0).map((network) => network.stop()));
	const a = await start("n1", ports);
	await start("n2", ports, { onIncarnation });
	await until(() => a.network.reachable("n2"), "the connection");
	expect(new Set(asked)).toEqual(new Set(["n1 n1-first"]));
});

/** Says `bytes` on a new connection; resolves with all that came back once it is closed. */
function say(
	port: number,
	bytes: Uint8Array,
	onChunk?: (chunk: Buffer) => Uint8Array | null,
): Promise<Buffer> {
	return new Promise((resolve) => {
		const chunks: Buffer[] = [];
		const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
		socket.on("data", (chunk: Buffer) => {
			chunks.push(chunk);
			const answer = onChunk?.(chunk) ?? null;
			if (answer !== null) socket.write(answer);
		});
		socket.on("error", () => {});
		socket.on("close", () => resolve(Buffer.concat(chunks)));
	});
}

const hello = {
	...identity("n1"),
	target: "n2",
	version: "9",
	lane: "log",
	minWire: wireVersion,
	maxWire: wireVersion,
	secured: false,
	nonce: new Uint8Array(32),
} as const;
const open = { secret: null, limits: { handshakeTimeoutMs: 300 } };

function refusalIn(data: Buffer): string {
	const { message } = takeMessage(data) ?? {};
	return message?.type === "refuse"
		? message.body.subarray(1, 1 + message.body.readUInt8(0)).toString()
		: "none";
}

test("HTTP, TLS, noise and silence are dropped with a line that says what came", async () => {
	const ports = await twoPorts();
	const b = await start("n2", { n2: ports.n2 }, open);
	expect((await say(ports.n2, Buffer.from("GET / HTTP/1.1\r\n\r\n"))).toString()).toMatch(/^HTTP\/1.1 400/);
	expect(b.lines.at(-1)?.fields["detail"]).toMatch("speaks HTTP");
	await say(ports.n2, Buffer.of(0x16, 0x03, 0x01, 0, 0));
	expect(b.lines.at(-1)?.fields["detail"]).toMatch("speaks TLS");
	// Half a magic and then nothing: the time limit ends it.
	await say(ports.n2, Buffer.from("SKEI"));
	expect(warnings(b, "timeout")).toBe(1);
	const noise = packMessage("proof", new Uint8Array(32));
	expect(refusalIn(await say(ports.n2, noise))).toBe("bad-handshake");
	expect(refusalIn(await say(ports.n2, packMessage("hello", encodeHello(hello).subarray(0, 40))))).toBe(
		"bad-handshake",
	);
	for (let round = 0; round < 20; round++) await say(ports.n2, Buffer.from("POST / HTTP/1.1\r\n\r\n"));
	expect(warnings(b, "not-skein")).toBe(1);
});

test("a wire version that is not known here is refused, older or newer, and both sides say which are", async () => {
	const ports = await twoPorts();
	const b = await start("n2", ports, open);
	const { oldest, newest } = wireVersions;
	for (const [minWire, maxWire] of [
		[newest + 1, newest + 2],
		[oldest - 1, oldest - 1],
	] as const) {
		const other = encodeHello({ ...hello, minWire, maxWire });
		expect(refusalIn(await say(ports.n2, packMessage("hello", other)))).toBe("wire-version");
	}
	const details = b.lines
		.filter(({ fields }) => fields["reason"] === "wire-version")
		.map(({ fields }) => fields["detail"]);
	expect(details).toContain("wire version 6 to 7 is spoken here, 5 there: upgrade one step at a time");
	const format = encodeHello(hello);
	format[0] = 9;
	expect(refusalIn(await say(ports.n2, packMessage("hello", format)))).toBe("wire-version");
});

test("a proof that is replayed or sent back is not accepted", async () => {
	const ports = await twoPorts();
	const b = await start("n2", ports, { limits: open.limits });
	const opening = packMessage("hello", encodeHello({ ...hello, secured: true }));
	// The acceptor's own proof, sent back to it.
	const answer = await say(ports.n2, opening, (chunk) => {
		const taken = takeMessage(chunk);
		return taken?.message.type === "challenge"
			? packMessage("proof", taken.message.body.subarray(-32))
			: null;
	});
	expect(refusalIn(takeMessage(answer)?.rest ?? answer)).toBe("wrong-secret");
	expect(warnings(b, "wrong-secret")).toBe(1);
	// Without the proof, no frame is read.
	await say(ports.n2, Buffer.concat([opening, Buffer.from([1, 0, 0, 0, 0, 1, 2, 3, 4, 5])]));
	expect(b.received).toEqual([]);
});

/** Speaks the whole handshake without a secret, then says `frames`. */
async function sayFrames(port: number, frames: Uint8Array): Promise<void> {
	await say(port, packMessage("hello", encodeHello(hello)), (chunk) => {
		const taken = takeMessage(chunk);
		if (taken?.message.type !== "challenge") return null;
		return Buffer.concat([packMessage("proof", new Uint8Array(32)), frames]);
	});
}

test("a frame that is too long, fails its checksum or has unknown flags ends the connection", async () => {
	const ports = await twoPorts();
	const b = await start("n2", ports, open);
	const detail = (): unknown =>
		b.lines.findLast(({ message }) => message.includes("make no sense"))?.fields["detail"];
	const tooLong = Buffer.alloc(9);
	tooLong.writeUInt32LE(48 * 1024 * 1024 + 1);
	await sayFrames(ports.n2, tooLong);
	expect(detail()).toMatch("50331649 bytes");
	await sayFrames(ports.n2, Buffer.from([1, 0, 0, 0, 0, 9, 9, 9, 9, 65]));
	expect(detail()).toMatch("checksum");
	await sayFrames(ports.n2, Buffer.from([0, 0, 0, 0, 7, 0, 0, 0, 0]));
	expect(detail()).toMatch("flags");
	await sayFrames(ports.n2, Buffer.from([0, 0, 0, 0, 1, 0, 0, 0, 0]));
	expect(detail()).toMatch("compressed");
	expect(b.received).toEqual([]);
});

test("a new connection for the same peer and lane replaces the old one", async () => {
	const ports = await twoPorts();
	const b = await start("n2", ports, open);
	const empty = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0]);
	let firstClosed = false;
	const first = sayFrames(ports.n2, empty).then(() => {
		firstClosed = true;
	});
	await until(() => b.received.length === 1, "the first connection's frame");
	expect(firstClosed).toBe(false);
	const second = sayFrames(ports.n2, empty);
	await first;
	await until(() => b.received.length === 2, "the second connection's frame");
	await b.network.stop();
	await second;
});

test("what a peer says in a refusal cannot forge log lines", () => {
	const error = decodeRefusal(encodeRefusal(new HandshakeError("busy", "no\n\u001b[31mFATAL")));
	expect(error.message).toBe("no??[31mFATAL");
	expect(error.reason).toBe("busy");
	expect(decodeRefusal(Buffer.from([3, 97, 98, 99, 0])).reason).toBe("bad-handshake");
});

const recoveredAsC2: Partial<TcpNetworkOptions> = { identity: identity("n2", "c2"), recoveredFrom: ["c1"] };

test("who belongs to a cluster that was given up hears which one went on, with proof", async () => {
	const ports = await twoPorts();
	const heard: string[] = [];
	const a = await start("n1", ports, { onSuperseded: (by) => void heard.push(by) });
	await start("n2", ports, recoveredAsC2);
	await until(() => heard.length > 0 && warnings(a, "recovered") > 0, "the cluster that went on");
	expect(new Set(heard)).toEqual(new Set(["c2"]));
});

test("nobody is stopped by the word of one who does not know the secret", async () => {
	const ports = await twoPorts();
	const heard: string[] = [];
	const a = await start("n1", ports, { onSuperseded: (by) => void heard.push(by) });
	await start("n2", ports, { ...recoveredAsC2, secret: "another" });
	await until(() => warnings(a, "recovered") > 0, "a line at the dialer");
	expect(heard).toEqual([]);
});
