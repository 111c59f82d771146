import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type HttpLoadResult, httpRequest, startHttpLoad } from "./http-load.ts";

async function load(listener: RequestListener, isGood?: (body: Buffer) => boolean): Promise<HttpLoadResult> {
	const server = createServer(listener);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	const { port } = server.address() as AddressInfo;
	const request = httpRequest({ method: "POST", path: "/x", host: `127.0.0.1:${port}`, body: '{"ü":1}' });
	const options = { host: "127.0.0.1", port, connections: 4, durationMs: 150, nextRequest: () => request };
	return await startHttpLoad(isGood === undefined ? options : { ...options, isGood }).result;
}

test("every good answer is counted once, with its latency", async () => {
	let served = 0;
	const result = await load((request, response) => {
		request.resume().on("end", () => {
			served++;
			response.setHeader("content-length", "2");
			// In two pieces: an answer may be cut anywhere.
			response.write("o");
			setImmediate(() => response.end("k"));
		});
	});
	expect(result.failed).toBe(0);
	expect(result.completed).toBe(served);
	expect(result.completed).toBeGreaterThan(4);
	expect(result.latencyMs.p50).toBeGreaterThan(0);
	expect(result.latencyMs.max).toBeGreaterThanOrEqual(result.latencyMs.p99);
});

test("refusals, bad bodies and broken connections are failures, never rates", async () => {
	const refused = await load((_, response) => response.writeHead(503, { "content-length": "4" }).end("busy"));
	expect(refused).toMatchObject({ completed: 0 });
	expect(refused.firstFailure).toContain("busy");
	const bad = await load(
		(_, response) => response.setHeader("content-length", "3").end("bad"),
		(body) => body.toString() === "good",
	);
	expect(bad.completed).toBe(0);
	const broken = await load((_, response) => response.socket?.destroy());
	expect(broken.completed).toBe(0);
	expect(broken.failed).toBeGreaterThan(0);
});
