/** Free loopback ports, from below the range that the kernel gives to outgoing connections, so that none is taken meanwhile. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const lowest = 10_000;
const highest = 32_000;

async function isFree(port: number): Promise<boolean> {
	const server = createServer();
	return await new Promise((resolve) => {
		server.once("error", () => resolve(false));
		server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
	});
}

export async function freePorts(count: number): Promise<number[]> {
	const found = new Set<number>();
	for (let tries = 0; found.size < count; tries += 1) {
		if (tries > 1_000) throw new Error(`found only ${found.size} of ${count} free ports`);
		const port = randomInt(lowest, highest);
		if (!found.has(port) && (await isFree(port))) found.add(port);
	}
	return [...found];
}
