// Whether ports are free, asked before anything starts: a clear error beats three nodes that die one after the other.
import { createServer } from "node:net";

/** The ports that somebody listens on already. */
export async function busyPorts(ports: readonly number[]): Promise<number[]> {
	const results = await Promise.all(ports.map(async (port) => ({ port, free: await isFree(port) })));
	return results.filter((result) => !result.free).map((result) => result.port);
}

function isFree(port: number): Promise<boolean> {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.once("error", (error: NodeJS.ErrnoException) => {
			if (error.code === "EADDRINUSE") resolve(false);
			else reject(error);
		});
		server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
	});
}
