// What no replicated write can beat: one fdatasync of a 4 KiB overwrite, and one round trip over loopback in
// Node.js between two processes. Prints the medians as JSON. With "echo" it is the other end of the round trip.
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

function syncMs(): number[] {
	const directory = mkdtempSync(join(tmpdir(), "skein-bench-floor-"));
	const file = openSync(join(directory, "file"), "w");
	const block = Buffer.alloc(blockBytes, 1);
	// Written once, so that an overwrite changes neither the file's size nor its map of blocks.
	for (let index = 0; index < blocks; index += 1) writeSync(file, block);
	fdatasyncSync(file);
	const times = Array.from({ length: samples }, (_, index) => {
		const started = performance.now();
		writeSync(file, block, 0, blockBytes, (index % blocks) * blockBytes);
		fdatasyncSync(file);
		return performance.now() - started;
	});
	closeSync(file);
	rmSync(directory, { recursive: true });
	return times;
}

function roundTripMs(): Promise<number[]> {
	return new Promise((resolve, reject) => {
		const echo = fork(import.meta.filename, ["echo"]);
		echo.on("error", reject);
		echo.on("message", (port) => {
			const socket = connect({ host: "127.0.0.1", port: Number(port), noDelay: true });
			const message = Buffer.alloc(echoBytes, 1);
			const times: number[] = [];
			let started = 0;
			const send = (): void => {
				started = performance.now();
				socket.write(message);
			};
			socket.on("error", reject);
			socket.on("connect", send);
			socket.on("data", () => {
				times.push(performance.now() - started);
				if (times.length < samples) return send();
				socket.destroy();
				echo.kill();
				resolve(times);
			});
		});
	});
}

function echo(): void {
	const server = createServer({ noDelay: true }, (socket) => {
		socket.on("error", () => socket.destroy());
		socket.pipe(socket);
	});
	server.listen(0, "127.0.0.1", () => {
		const address = server.address();
		if (address !== null && typeof address === "object") process.send?.(address.port);
	});
	process.on("disconnect", () => process.exit());
}

const middle = (values: readonly number[]): number =>
	values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

if (import.meta.main) {
	if (process.argv[2] === "echo") echo();
	else {
		const floor: Floor = { syncMs: middle(syncMs()), roundTripMs: middle(await roundTripMs()) };
		console.log(JSON.stringify(floor));
	}
}
