// What no replicated write can beat: one fdatasync of a 4 KiB overwrite, and one round trip over loopback in
// Node.js between two processes. Prints the medians as JSON, each from a loop of its own that does nothing else.
// With "echo" it is the other end of the round trip; with "durable-echo" too, and syncs before it answers.
import { fork } from "node:child_process";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Floor {
	readonly syncMs: number;
	readonly roundTripMs: number;
}

const blockBytes = 4_096;
const blocks = 1_024;
const samples = 2_000;
const echoBytes = 200;

interface DurableFile {
	/** Overwrites the next block and syncs it. */
	write(): void;
	remove(): void;
}

function openDurableFile(): DurableFile {
	const directory = mkdtempSync(join(tmpdir(), "skein-bench-floor-"));
	const file = openSync(join(directory, "file"), "w");
	const block = Buffer.alloc(blockBytes, 1);
	// Written once, so that an overwrite changes neither the file's size nor its map of blocks.
	for (let index = 0; index < blocks; index += 1) writeSync(file, block);
	fdatasyncSync(file);
	let next = 0;
	return {
		write() {
			writeSync(file, block, 0, blockBytes, next * blockBytes);
			fdatasyncSync(file);
			next = (next + 1) % blocks;
		},
		remove() {
			closeSync(file);
			rmSync(directory, { recursive: true });
		},
	};
}

function syncMs(): number[] {
	const file = openDurableFile();
	const times = Array.from({ length: samples }, () => {
		const started = performance.now();
		file.write();
		return performance.now() - started;
	});
	file.remove();
	return times;
}

export interface Echo {
	/** Sends 200 bytes and resolves when they have come back. One at a time. */
	roundTrip(): Promise<void>;
	close(): void;
}

export function openEcho(kind: "echo" | "durable-echo"): Promise<Echo> {
	return new Promise((resolve, reject) => {
		const other = fork(import.meta.filename, [kind]);
		other.on("error", reject);
		other.on("message", (port) => {
			const socket = connect({ host: "127.0.0.1", port: Number(port), noDelay: true });
			const message = Buffer.alloc(echoBytes, 1);
			let arrived = (): void => {};
			socket.on("error", reject);
			socket.on("data", () => arrived());
			socket.on("connect", () =>
				resolve({
					roundTrip: () =>
						new Promise((done) => {
							arrived = done;
							socket.write(message);
						}),
					close() {
						socket.destroy();
						other.disconnect();
					},
				}),
			);
		});
	});
}

async function roundTripMs(): Promise<number[]> {
	const other = await openEcho("echo");
	const times: number[] = [];
	for (let sample = 0; sample < samples; sample += 1) {
		const started = performance.now();
		await other.roundTrip();
		times.push(performance.now() - started);
	}
	other.close();
	return times;
}

function echo(isDurable: boolean): void {
	const file = isDurable ? openDurableFile() : null;
	const server = createServer({ noDelay: true }, (socket) => {
		socket.on("error", () => socket.destroy());
		socket.on("data", (chunk) => {
			file?.write();
			socket.write(chunk);
		});
	});
	server.listen(0, "127.0.0.1", () => {
		const address = server.address();
		if (address !== null && typeof address === "object") process.send?.(address.port);
	});
	process.on("disconnect", () => {
		file?.remove();
		process.exit();
	});
}

const middle = (values: readonly number[]): number =>
	values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

if (import.meta.main) {
	const kind = process.argv[2];
	if (kind !== undefined) echo(kind === "durable-echo");
	else {
		const floor: Floor = { syncMs: middle(syncMs()), roundTripMs: middle(await roundTripMs()) };
		console.log(JSON.stringify(floor));
	}
}
