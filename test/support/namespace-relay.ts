/**
 * Runs at the router between the namespaces (namespaces.ts): what comes through a socket of the file system goes on to
 * a node by TCP. One argument: JSON of `Way[]`. Ends when its standard input does.
 */
import { connect, createServer } from "node:net";

interface Way {
	readonly socket: string;
	readonly host: string;
	readonly port: number;
}

const ways: readonly Way[] = JSON.parse(process.argv[2] ?? "[]");

for (const { socket, host, port } of ways) {
	createServer((client) => {
		const node = connect({ host, port, noDelay: true });
		const end = (): void => {
			client.destroy();
			node.destroy();
		};
		for (const one of [client, node]) one.on("error", end).on("close", end);
		client.pipe(node).pipe(client);
	}).listen(socket);
}

process.stdin.resume().on("end", () => process.exit());
