// Damage in the log on disk: a torn tail is cut, anything else is refused with file and offset.
import { closeSync, ftruncateSync, openSync, readdirSync, readSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { expectEqualMembers } from "./support/compare.ts";
import { run } from "./support/http.ts";
import type { NodeProcess } from "./support/node-process.ts";
import { underLoad } from "./support/under-load.ts";

const cluster = useCluster();

function lastSegment(node: NodeProcess): string {
	const folder = join(node.dataDirectory, "log");
	const names = readdirSync(folder)
		.filter((name) => /^\d+/.test(name))
		.sort();
	const name = names.at(-1);
	if (name === undefined) throw new Error(`no segment in ${folder}`);
	return join(folder, name);
}

/** Segments may be made larger than what they hold: the end is after the last byte that is not zero. */
function usedBytes(path: string): number {
	const file = openSync(path, "r");
	const bytes = Buffer.alloc(statSync(path).size);
	readSync(file, bytes, 0, bytes.length, 0);
	closeSync(file);
	let end = bytes.length;
	while (end > 0 && bytes[end - 1] === 0) end -= 1;
	return end;
}

function flipByte(path: string, offset: number): void {
	const file = openSync(path, "r+");
	const byte = Buffer.alloc(1);
	readSync(file, byte, 0, 1, offset);
	byte.writeUInt8(byte.readUInt8(0) ^ 0xff, 0);
	writeSync(file, byte, 0, 1, offset);
	closeSync(file);
}

async function write(rows: number): Promise<void> {
	const { url } = await cluster().leader();
	await run(url, "create table if not exists t (id integer primary key, x integer, y text)");
	for (let row = 0; row < rows; row += 1) {
		await run(url, "insert into t (x, y) values (?, ?)", [row, `marker ${"m".repeat(200)}`]);
	}
	await cluster().caughtUp();
}

test("a torn tail: the node starts, says so, and gets the rest from the others", async () => {
	await write(30);
	const [follower] = await cluster().followers();
	if (follower === undefined) throw new Error("no follower");
	await follower.kill();
	const path = lastSegment(follower);
	const file = openSync(path, "r+");
	ftruncateSync(file, usedBytes(path) - 20);
	closeSync(file);
	await follower.start();
	await cluster().caughtUp();
	await expectEqualMembers(cluster());
	expect(follower.logLines().some((line) => line.msg.includes("torn"))).toBe(true);
});

test("a byte flipped in the middle: the node refuses to start, and names file and offset", async () => {
	await write(60);
	const [follower] = await cluster().followers();
	if (follower === undefined) throw new Error("no follower");
	await follower.kill();
	const path = lastSegment(follower);
	const offset = Math.floor(usedBytes(path) / 2);
	flipByte(path, offset);
	const before = follower.logText().length;
	const exit = await follower.startAndFail();
	expect(exit).toEqual({ code: 1, signal: null });
	const said = follower.logText().slice(before);
	expect(said).toContain(path.slice(path.lastIndexOf("/") + 1));
	const named = [...said.matchAll(/(?:offset|byte|at)\D{0,12}(\d+)/gi)].map((match) => Number(match[1]));
	expect(named.some((number) => Math.abs(number - offset) < 2_000)).toBe(true);
	// The others go on without it, and nothing was changed: mended, it is well.
	await write(5);
	flipByte(path, offset);
	await follower.start();
	await expectEqualMembers(cluster());
});

test("under load: torn, then damaged, then mended", async () => {
	const [follower] = await cluster().followers();
	if (follower === undefined) throw new Error("no follower");
	await underLoad(cluster(), async (ledger) => {
		await ledger.progress(50);
		await follower.kill();
		// Part of a write that nobody was told of. Its last whole record may be acknowledged, and must not be lost.
		const path = lastSegment(follower);
		const file = openSync(path, "r+");
		writeSync(file, Buffer.alloc(40, 0xab), 0, 40, usedBytes(path));
		closeSync(file);
		await follower.start();
		expect(follower.logLines().some((line) => line.msg.includes("torn"))).toBe(true);
		await ledger.progress(50);
		await follower.kill();
		const damaged = lastSegment(follower);
		const offset = Math.floor(usedBytes(damaged) / 2);
		flipByte(damaged, offset);
		expect(await follower.startAndFail()).toEqual({ code: 1, signal: null });
		await ledger.progress(20);
		flipByte(damaged, offset);
		await follower.start();
		await ledger.progress(20);
	});
});
