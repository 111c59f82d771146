/** Connections between nodes on loopback, with real sockets: the lanes, loss and return, back-pressure. */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type Lane, lanes } from "../world/network.ts";
import { wireVersion } from "./codec/message.ts";
import { wireVersions } from "./codec/wire-version.ts";
import { encodeChallenge, packMessage, takeMessage } from "./handshake.ts";
import { freePorts, startNode, type TestNode, until } from "./peer.testing.ts";

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

/** Waits until all three lanes from `node` to `peer` carry messages. */
async function untilAllLanes(node: TestNode, peer: string): Promise<void> {
	const open = new Set<Lane>();
	await until(() => {
		for (const lane of lanes)
			if (!open.has(lane) && node.network.send(peer, lane, Buffer.from("hi"))) open.add(lane);
		return open.size === lanes.length;
	}, `all lanes to ${peer}`);
}

const payloads = (node: TestNode, lane: Lane): string[] =>
	node.received
		.filter((message) => message.lane === lane)
		.map(({ bytes }) => Buffer.from(bytes).toString())
		.filter((text) => text !== "hi");

test("messages of all lanes go both ways, whole and in order", async () => {
	const ports = await twoPorts();
	const a = await start("n1", ports);
	const b = await start("n2", ports);
	await Promise.all([untilAllLanes(a, "n2"), untilAllLanes(b, "n1")]);
	expect(a.reachable).toEqual(["+n2"]);
	expect(a.network.reachable("n2")).toBe(true);
	for (const lane of lanes) {
		const texts = Array.from(
			{ length: 200 },
			(_, place) => `${lane} ${place} ${"x".repeat((place * 37) % 9000)}`,
		);
		for (const text of texts) {
			expect(a.network.send("n2", lane, Buffer.from(text))).toBe(true);
			expect(b.network.send("n1", lane, Buffer.from(text))).toBe(true);
		}
		await until(() => payloads(b, lane).length === 200 && payloads(a, lane).length === 200, `200 on ${lane}`);
		expect(payloads(b, lane)).toEqual(texts);
		expect(payloads(a, lane)).toEqual(texts);
		expect(a.network.queuedBytes("n2", lane)).toBe(0);
	}
	expect(a.network.send("n3", "control", Buffer.from("nobody"))).toBe(false);
	expect(a.network.send("n2", "control", new Uint8Array(300 * 1024))).toBe(false);
	expect(a.network.reachable("n2")).toBe(true);
});

test("64 MB on the bulk lane arrive intact while control messages stay quick", async () => {
	const ports = await twoPorts();
	const hash = createHash("sha256");
	const expected = createHash("sha256");
	let bulkBytes = 0;
	const roundTrips: number[] = [];
	let sentAt = 0;
	const a = await start(
		"n1",
		ports,
		{},
		{ onMessage: () => void roundTrips.push(performance.now() - sentAt) },
	);
	const b = await start(
		"n2",
		ports,
		{},
		{
			onMessage(_, lane, bytes) {
				if (lane === "control") b.network.send("n1", "control", bytes);
				if (lane !== "bulk" || bytes.length === 2) return;
				hash.update(bytes);
				bulkBytes += bytes.length;
			},
		},
	);
	await Promise.all([untilAllLanes(a, "n2"), untilAllLanes(b, "n1")]);
	roundTrips.length = 0;
	// Half of each frame is noise, half compresses.
	const frame = Buffer.concat([randomBytes(128 * 1024), Buffer.alloc(128 * 1024, "page ")]);
	const begun = performance.now();
	let sentFrames = 0;
	while (sentFrames < 256 || bulkBytes < 256 * frame.length) {
		if (sentFrames < 256) {
			frame.writeUInt32LE(sentFrames, 0);
			const copy = Buffer.from(frame);
			if (a.network.send("n2", "bulk", copy)) {
				expected.update(copy);
				sentFrames++;
				continue;
			}
		}
		if (performance.now() - begun > 20_000) throw new Error("too slow");
		const before = roundTrips.length;
		sentAt = performance.now();
		if (a.network.send("n2", "control", Buffer.from("ping"))) {
			await until(() => roundTrips.length > before, "an answer");
		}
		await new Promise((resolve) => setTimeout(resolve, 1));
	}
	const tookMs = performance.now() - begun;
	expect(hash.digest("hex")).toBe(expected.digest("hex"));
	roundTrips.sort((x, y) => x - y);
	const median = roundTrips[Math.floor(roundTrips.length / 2)] ?? 0;
	console.log(
		`bulk 64 MiB in ${tookMs.toFixed(0)} ms; ${roundTrips.length} pings, median ${median.toFixed(2)} ms`,
	);
	expect(median).toBeLessThan(50);
});

test("a large message on the log lane arrives, compressible or not", async () => {
	const ports = await twoPorts();
	const a = await start("n1", ports);
	const b = await start("n2", ports);
	await untilAllLanes(a, "n2");
	const large = randomBytes(20 * 1024 * 1024);
	expect(a.network.send("n2", "log", large)).toBe(true);
	await until(() => b.received.some(({ bytes }) => bytes.length === large.length), "the large message");
	expect(large.equals(b.received.at(-1)?.bytes ?? Buffer.alloc(0))).toBe(true);
});

test("a node that stops is noticed, and found again when it is back", async () => {
	const ports = await twoPorts();
	// With this back-off only the peer's own dialling can bring the quick return.
	const a = await start("n1", ports, {
		limits: { minReconnectMs: 4_000, maxReconnectMs: 4_000, stallTimeoutMs: 10_000 },
	});
	const b = await startNode("n2", ports);
	await untilAllLanes(a, "n2");
	const stoppedAt = performance.now();
	await b.network.stop();
	await until(() => !a.network.reachable("n2"), "loss");
	// By the end of the connection, not by its silence.
	expect(performance.now() - stoppedAt).toBeLessThan(5_000);
	expect(a.network.send("n2", "log", Buffer.from("lost"))).toBe(false);
	// Long enough for the back-off to have grown; the return must not wait it out.
	await new Promise((resolve) => setTimeout(resolve, 700));
	const again = await start("n2", ports);
	const backAt = performance.now();
	await untilAllLanes(a, "n2");
	expect(performance.now() - backAt).toBeLessThan(2_500);
	expect(a.reachable).toEqual(["+n2", "-n2", "+n2"]);
	a.network.send("n2", "log", Buffer.from("after"));
	await until(() => payloads(again, "log").includes("after"), "a message after the return");
	expect(a.lines.filter(({ level }) => level === "warn").length).toBeLessThanOrEqual(3);
});

test("a receiver that does not read: send says false, the queue is bounded, and the connection is given up", async () => {
	const ports = await twoPorts();
	const held: Socket[] = [];
	// Speaks the handshake without a secret, then reads nothing.
	const deaf = createServer((socket) => {
		held.push(socket);
		socket.on("error", () => {});
		socket.on("data", (chunk: Buffer) => {
			const taken = takeMessage(chunk);
			if (taken?.message.type === "hello") {
				const ids = { clusterId: "c1", nodeId: "n2", incarnation: "x", version: "0", wire: wireVersion };
				const challenge = encodeChallenge({ ...ids, nonce: new Uint8Array(32) });
				socket.write(packMessage("challenge", Buffer.concat([challenge, Buffer.alloc(32)])));
			} else {
				socket.write(packMessage("welcome", Buffer.alloc(0)));
				socket.pause();
			}
		});
	});
	await new Promise<void>((resolve) => deaf.listen(ports.n2, "127.0.0.1", resolve));
	try {
		const limits = { stallTimeoutMs: 400, receiptIntervalMs: 50 };
		const a = await start("n1", ports, { secret: null, limits });
		await until(() => a.network.reachable("n2"), "the connection");
		await untilAllLanes(a, "n2");
		const message = new Uint8Array(1024 * 1024);
		let accepted = 0;
		while (a.network.send("n2", "log", message)) accepted++;
		expect(accepted).toBe(63);
		expect(a.network.queuedBytes("n2", "log")).toBeLessThanOrEqual(64 * 1024 * 1024);
		await until(() => a.lines.some((line) => line.message.includes("confirmed no bytes")), "the stall");
		await until(() => a.reachable.includes("-n2"), "loss");
		// Control: full means a new connection.
		await until(() => a.network.reachable("n2"), "another connection");
		while (a.network.send("n2", "control", new Uint8Array(200 * 1024)));
		expect(a.lines.some((line) => line.message.includes("control lane to a peer is full"))).toBe(true);
	} finally {
		for (const socket of held) socket.destroy();
		await new Promise((resolve) => deaf.close(resolve));
	}
});

test("a healthy connection that carries little is not taken for stalled", async () => {
	const ports = await twoPorts();
	const limits = { stallTimeoutMs: 200, receiptIntervalMs: 20 };
	const a = await start("n1", ports, { limits });
	await start("n2", ports, { limits });
	await untilAllLanes(a, "n2");
	for (let round = 0; round < 30; round++) {
		a.network.send("n2", "control", Buffer.from("beat"));
		await new Promise((resolve) => setTimeout(resolve, round % 3 === 0 ? 60 : 10));
	}
	// Idle for longer than the limit, then one message: its wait begins when it is sent.
	await new Promise((resolve) => setTimeout(resolve, 300));
	a.network.send("n2", "log", Buffer.from("late"));
	a.network.send("n2", "control", Buffer.from("late"));
	await new Promise((resolve) => setTimeout(resolve, 60));
	expect(a.reachable).toEqual(["+n2"]);
});

test("stop is quick, also while connecting, and the port is free at once", async () => {
	const ports = await twoPorts();
	for (let round = 0; round < 3; round++) {
		const a = await startNode("n1", ports);
		const begun = performance.now();
		await a.network.stop();
		// Nothing is waited for: what it has to wait for otherwise takes seconds.
		expect(performance.now() - begun).toBeLessThan(1_000);
		expect(a.network.send("n2", "control", Buffer.from("x"))).toBe(false);
	}
	const a = await start("n1", ports);
	await expect(startNode("n1", ports)).rejects.toThrow("EADDRINUSE");
	expect(a.network.port()).toBe(ports.n1);
});

test("nodes are met later, at other addresses, and let go: who is no member any more is spoken to for a while", async () => {
	const [one = 0, two = 0, other = 0] = await freePorts(3);
	const limits = { forgetAfterMs: 300 };
	const a = await start("n1", { n1: one }, { limits });
	const b = await start("n2", { n1: one, n2: two });
	const member = (id: string, port: number) => ({ id, peer: `127.0.0.1:${port}` });
	// Nobody that it knows.
	await until(() => a.lines.some(({ fields }) => fields["reason"] === "unknown-node"), "a refusal");
	expect(a.network.send("n2", "control", Buffer.from("x"))).toBe(false);

	a.network.meet([member("n1", one), member("n2", two)]);
	await Promise.all([untilAllLanes(a, "n2"), untilAllLanes(b, "n1")]);

	// It moves.
	await b.network.stop();
	const moved = await start("n2", { n1: one, n2: other });
	a.network.meet([member("n1", one), member("n2", other)]);
	await Promise.all([untilAllLanes(a, "n2"), untilAllLanes(moved, "n1")]);

	// It is removed, comes back before it is forgotten, and is removed for good.
	a.network.meet([member("n1", one)]);
	expect(a.network.reachable("n2")).toBe(true);
	a.network.meet([member("n1", one), member("n2", other)]);
	await new Promise((resolve) => setTimeout(resolve, 400));
	expect(a.network.reachable("n2")).toBe(true);
	a.network.meet([member("n1", one)]);
	await until(() => !a.network.reachable("n2"), "n2 to be let go");
	expect(a.reachable.at(-1)).toBe("-n2");
	await until(() => !moved.network.reachable("n1"), "n2 to be refused");
});

test("a connection speaks the newest version that both sides know, each way", async () => {
	const [n1 = 0, n2 = 0] = await freePorts(2);
	const ports = { n1, n2 };
	const { oldest, newest } = wireVersions;
	const a = await startNode("n1", ports, { wire: { oldest, newest: oldest } });
	const b = await startNode("n2", ports);
	try {
		expect(b.network.wireVersion("n3", "log")).toBe(oldest);
		await until(() => a.reachable.includes("+n2") && b.reachable.includes("+n1"), "each other");
		expect([a.network.wireVersion("n2", "control"), b.network.wireVersion("n1", "control")]).toEqual([
			oldest,
			oldest,
		]);
		await a.network.stop();
		const upgraded = await startNode("n1", ports);
		try {
			await until(() => b.network.wireVersion("n1", "control") === newest, "the newer version");
			await until(() => upgraded.network.wireVersion("n2", "control") === newest, "it on the other side");
		} finally {
			await upgraded.network.stop();
		}
	} finally {
		await Promise.all([a.network.stop(), b.network.stop()]);
	}
});
