// The proxy between nodes: passes bytes in order, holds them while a link is cut, lets the other direction pass.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { encodeHello, packMessage } from "../../packages/skein/src/peer/handshake.ts";
import { freePorts } from "./ports.ts";
import { type Network, openNetwork } from "./proxy.ts";
import { until } from "./until.ts";

interface Link {
	readonly network: Network;
	readonly dialer: Socket;
	readonly acceptor: Socket;
	/** What has arrived at the acceptor after the hello, and at the dialer. */
	readonly arrived: { acceptor: string; dialer: string };
}

const hello = packMessage(
	"hello",
	encodeHello({
		clusterId: "c",
		nodeId: "n1",
		incarnation: "i",
		target: "n2",
		version: "v",
		lane: "log",
		minWire: 1,
		maxWire: 1,
		secured: false,
		nonce: randomBytes(32),
	}),
);

async function openLink(): Promise<Link> {
	const [port = 0, behind = 0] = await freePorts(2);
	const server = createServer();
	server.listen(behind, "127.0.0.1");
	await once(server, "listening");
	const network = await openNetwork([{ node: "n2", port, behind }]);
	const dialer = connect(port, "127.0.0.1");
	onTestFinished(async () => {
		dialer.destroy();
		await network.close();
		server.close();
	});
	// In two pieces: the proxy must wait for the whole hello.
	dialer.write(hello.subarray(0, 7));
	dialer.setNoDelay(true);
	const accepted = once(server, "connection");
	await once(dialer, "connect");
	dialer.write(hello.subarray(7));
	const [acceptor]: Socket[] = await accepted;
	if (acceptor === undefined) throw new Error("no connection");
	const arrived = { acceptor: "", dialer: "" };
	acceptor.on("data", (bytes) => {
		arrived.acceptor += bytes.toString("latin1");
	});
	dialer.on("data", (bytes) => {
		arrived.dialer += bytes.toString("latin1");
	});
	await until({ what: "the hello", timeoutMs: 2_000 }, () => arrived.acceptor === hello.toString("latin1"));
	arrived.acceptor = "";
	return { network, dialer, acceptor, arrived };
}

const seen = (arrived: Link["arrived"], side: keyof Link["arrived"], text: string): Promise<boolean> =>
	until({ what: `${text} at the ${side}`, timeoutMs: 2_000 }, () => arrived[side] === text);

test("a link that is cut one way holds that way's bytes, and gives them up in order when mended", async () => {
	const { network, dialer, acceptor, arrived } = await openLink();
	dialer.write("a");
	await seen(arrived, "acceptor", "a");
	network.cutOneWay("n1", "n2");
	dialer.write("b");
	acceptor.write("x");
	await seen(arrived, "dialer", "x");
	dialer.write("c");
	acceptor.write("y");
	await seen(arrived, "dialer", "xy");
	expect(arrived.acceptor).toBe("a");
	network.mend();
	await seen(arrived, "acceptor", "abc");
});

test("an isolated node hears and is heard by nobody; a connection that ends behind the cut is not seen to end", async () => {
	const { network, dialer, acceptor, arrived } = await openLink();
	network.cut("n1", "n2");
	dialer.write("b");
	acceptor.write("x");
	acceptor.destroy();
	await once(acceptor, "close");
	expect(arrived).toEqual({ acceptor: "", dialer: "" });
	expect(dialer.destroyed).toBe(false);
});

test("a delay keeps the order", async () => {
	const { network, dialer, arrived } = await openLink();
	network.delay(80);
	const started = performance.now();
	dialer.write("1");
	await until({ what: "1", timeoutMs: 2_000, everyMs: 1 }, () => arrived.acceptor === "1");
	expect(performance.now() - started).toBeGreaterThan(75);
	for (const digit of "23456") dialer.write(digit);
	await seen(arrived, "acceptor", "123456");
});
