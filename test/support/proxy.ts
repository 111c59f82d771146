/**
 * The network between the nodes, in the test's hands: the cluster's map points at one door a node,
 * the door reads who dials (the hello of the handshake says it in clear) and passes the bytes on,
 * unless the link is cut. A cut link is silent, as a broken switch is: nothing is refused or reset,
 * bytes stop arriving, and arrive after all when the link is mended in time (as TCP sends them again).
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { decodeHello, takeMessage } from "../../packages/skein/src/peer/handshake.ts";

export interface Network {
	/** Nothing passes between these two, in either direction. */
	cut(a: string, b: string): void;
	/** Nothing passes from `from` to `to`; the other direction works. */
	cutOneWay(from: string, to: string): void;
	/** The node can reach nobody and nobody reaches it. */
	isolate(node: string): void;
	/** Every byte arrives this much later. */
	delay(delayMs: number): void;
	/** All links work again. */
	mend(): void;
	close(): Promise<void>;
}

export interface Door {
	readonly node: string;
	/** Where the others dial. */
	readonly port: number;
	/** Where the node listens. */
	readonly behind: number;
}

interface Pipe {
	readonly from: string;
	readonly to: string;
	/** Looks again whether bytes may pass. */
	update(): void;
}

const maxHeldBytes = 1024 * 1024;

export async function openNetwork(doors: readonly Door[]): Promise<Network> {
	const cuts = new Set<string>();
	const pipes = new Set<Pipe>();
	const sockets = new Set<Socket>();
	/** The other ends of connections that ended behind a cut link. */
	const ended = new Set<Socket>();
	let delayMs = 0;

	const isCut = (from: string, to: string): boolean => cuts.has(`${from}>${to}`);
	const changed = (): void => {
		for (const pipe of pipes) pipe.update();
	};

	function pass(from: string, to: string, source: Socket, target: Socket, first: Buffer): void {
		const held: Buffer[] = [];
		let heldBytes = 0;
		let due = 0;
		function write(chunk: Buffer): void {
			if (target.destroyed) return;
			if (!target.write(chunk)) source.pause();
		}
		function deliver(chunk: Buffer): void {
			if (delayMs === 0 && performance.now() >= due) return write(chunk);
			// Never before a chunk that came earlier.
			due = Math.max(due, performance.now() + delayMs);
			setTimeout(() => write(chunk), due - performance.now());
		}
		function take(chunk: Buffer): void {
			if (!isCut(from, to)) return deliver(chunk);
			held.push(chunk);
			heldBytes += chunk.length;
			if (heldBytes > maxHeldBytes) source.pause();
		}
		const pipe: Pipe = {
			from,
			to,
			update() {
				if (isCut(from, to)) return;
				for (const chunk of held.splice(0)) deliver(chunk);
				heldBytes = 0;
				source.resume();
			},
		};
		pipes.add(pipe);
		if (first.length > 0) take(first);
		source.on("data", take);
		target.on("drain", () => {
			if (heldBytes <= maxHeldBytes) source.resume();
		});
		source.on("close", () => {
			pipes.delete(pipe);
			// The end of a connection is news too: it does not cross a cut link.
			if (isCut(from, to)) ended.add(target);
			else target.destroy();
		});
	}

	function accept(door: Door, dialer: Socket): void {
		watch(dialer);
		let seen: Buffer = Buffer.alloc(0);
		const onData = (chunk: Buffer): void => {
			seen = Buffer.concat([seen, chunk]);
			let from: string;
			try {
				const taken = takeMessage(seen);
				if (taken === null) return;
				from = decodeHello(taken.message.body).nodeId;
			} catch {
				dialer.destroy();
				return;
			}
			dialer.removeListener("data", onData);
			const node = connect({ host: "127.0.0.1", port: door.behind, noDelay: true });
			watch(node);
			pass(from, door.node, dialer, node, seen);
			pass(door.node, from, node, dialer, Buffer.alloc(0));
		};
		dialer.setNoDelay(true);
		dialer.on("data", onData);
	}

	function watch(socket: Socket): void {
		sockets.add(socket);
		socket.on("error", () => {});
		socket.on("close", () => sockets.delete(socket));
	}

	const servers: Server[] = [];
	for (const door of doors) {
		const server = createServer((socket) => accept(door, socket));
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen(door.port, "127.0.0.1", resolve);
		});
		servers.push(server);
	}

	function cut(a: string, b: string): void {
		cuts.add(`${a}>${b}`).add(`${b}>${a}`);
	}

	return {
		cut,
		cutOneWay(from, to) {
			cuts.add(`${from}>${to}`);
		},
		isolate(node) {
			for (const door of doors) if (door.node !== node) cut(node, door.node);
		},
		delay(milliseconds) {
			delayMs = milliseconds;
		},
		mend() {
			cuts.clear();
			delayMs = 0;
			changed();
			// Whoever writes to such a connection is told.
			for (const socket of ended) socket.destroy();
			ended.clear();
		},
		async close() {
			for (const socket of sockets) socket.destroy();
			await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
		},
	};
}
