/** A peer process that is killed, and one that hangs: noticed, and found again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { freePorts, startNode, until } from "./peer.testing.ts";

const program = `
import { startNode } from ${JSON.stringify(new URL("./peer.testing.ts", import.meta.url).href)};
const ports = JSON.parse(process.argv[1]);
const node = await startNode("n2", ports, {}, {
	onMessage(from, lane, bytes) { node.network.send(from, lane, bytes); },
});
`;

function spawnPeer(ports: Readonly<Record<string, number>>): ChildProcess {
	return spawn(process.execPath, ["--input-type=module", "-e", program, JSON.stringify(ports)], {
		stdio: "inherit",
	});
}

test("SIGKILL and SIGSTOP of a peer", async () => {
	const [n1 = 0, n2 = 0] = await freePorts(2);
	const ports = { n1, n2 };
	const stallTimeoutMs = 2_000;
	const limits = { stallTimeoutMs, receiptIntervalMs: 50 };
	const a = await startNode("n1", ports, { limits });
	let child = spawnPeer(ports);
	try {
		await until(() => a.network.reachable("n2"), "the child", 10_000);
		const killedAt = performance.now();
		child.kill("SIGKILL");
		await until(() => !a.network.reachable("n2"), "the kill noticed");
		console.log(`SIGKILL noticed in ${(performance.now() - killedAt).toFixed(1)} ms`);
		expect(performance.now() - killedAt).toBeLessThan(stallTimeoutMs);
		if (child.exitCode === null && child.signalCode === null) await once(child, "exit");

		child = spawnPeer(ports);
		await until(() => a.network.reachable("n2"), "the child again", 10_000);
		a.network.send("n2", "control", Buffer.from("back"));
		await until(() => a.received.some(({ bytes }) => Buffer.from(bytes).toString() === "back"), "an echo");

		// The kernel goes on taking our bytes: only the missing receipts tell.
		child.kill("SIGSTOP");
		const stoppedAt = performance.now();
		await until(() => {
			a.network.send("n2", "control", Buffer.from("beat"));
			return !a.network.reachable("n2");
		}, "the hang noticed");
		expect(performance.now() - stoppedAt).toBeGreaterThan(0.8 * stallTimeoutMs);
		child.kill("SIGCONT");
		await until(() => a.network.reachable("n2"), "the child awake");
		expect(a.reachable).toEqual(["+n2", "-n2", "+n2", "-n2", "+n2"]);
	} finally {
		child.kill("SIGKILL");
		await a.network.stop();
	}
});
