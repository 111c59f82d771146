/** The log on real files: what was acknowledged is there again, whatever ended the process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Entry } from "../consensus/types.ts";
import { createFileDisk } from "../world/file-disk.ts";
import { LogIdentityError } from "./errors.ts";
import type { Log } from "./log.ts";
import { openLog } from "./segmented-log.ts";

const identity = { clusterId: "c", nodeId: "n1", incarnation: "i" };
const roots: string[] = [];
afterAll(() => {
	for (const root of roots) rmSync(root, { recursive: true, force: true });
});

function newRoot(): string {
	const root = mkdtempSync(join(tmpdir(), "skein-log-"));
	roots.push(root);
	return root;
}

function open(root: string): Promise<Log> {
	return openLog({
		disk: createFileDisk(root),
		directory: "log",
		create: identity,
		bootstrap: [{ index: 1, term: 1, kind: "configuration", payload: bytes("configuration") }],
		settings: { segmentBytes: 4096, cacheBytes: 2000 },
	});
}

const bytes = (text: string) => new TextEncoder().encode(text);

function run(first: number, last: number, term: number, fill = "x"): Entry[] {
	const entries: Entry[] = [];
	for (let index = first; index <= last; index++) {
		entries.push({ index, term, kind: "command", payload: bytes(`${fill}${index}`.repeat(20)) });
	}
	return entries;
}

async function readAll(log: Log, first: number, last: number): Promise<Entry[]> {
	const entries: Entry[] = [];
	while (first + entries.length <= last) {
		entries.push(...(await log.read(first + entries.length, last, 1000)));
	}
	return entries;
}

test("a new log has the given identity, the first promise and the bootstrap entry", async () => {
	const root = newRoot();
	for (const round of [1, 2]) {
		const log = await open(root);
		expect(log.recovered.identity).toEqual(identity);
		expect(log.recovered.promise).toEqual({ term: 1, votedFor: null });
		expect(log.recovered.base).toEqual({ index: 0, term: 0 });
		expect(log.recovered.headers).toEqual([{ index: 1, term: 1, sizeBytes: 13 }]);
		expect(log.recovered.configurations).toEqual([
			{ index: 1, term: 1, kind: "configuration", payload: bytes("configuration") },
		]);
		expect([round, log.recovered.tornBytes]).toEqual([round, 0]);
		await log.close();
	}
});

test("data of another node is refused, and so is none where none may be made", async () => {
	const root = newRoot();
	await (await open(root)).close();
	const disk = createFileDisk(root);
	const other = { ...identity, nodeId: "n2" };
	await expect(openLog({ disk, directory: "log", create: other })).rejects.toThrow(LogIdentityError);
	await expect(openLog({ disk, directory: "none", create: null })).rejects.toThrow(LogIdentityError);
	// The incarnation is drawn anew at each start; the one on disk counts.
	const again = await openLog({ disk, directory: "log", create: { ...identity, incarnation: "new" } });
	expect(again.recovered.identity.incarnation).toBe("i");
	await again.close();
});

test("entries over many segments, cut and written again, are what a restart finds", async () => {
	const root = newRoot();
	const log = await open(root);
	const first = log.append({ truncateFrom: null, entries: run(2, 100, 1) });
	expect(log.readCached(90, 200, 1e6)?.length).toBe(11);
	await Promise.all([
		first,
		log.append({ truncateFrom: 60, entries: run(60, 80, 2, "y") }),
		log.writePromise({ term: 3, votedFor: "n2" }),
		log.append({ truncateFrom: null, entries: run(81, 90, 3, "z") }),
	]);
	const expected = [...run(2, 59, 1), ...run(60, 80, 2, "y"), ...run(81, 90, 3, "z")];
	expect(await readAll(log, 2, 90)).toEqual(expected);
	await log.close();
	const again = await open(root);
	expect(await readAll(again, 2, 90)).toEqual(expected);
	expect(again.recovered.promise).toEqual({ term: 3, votedFor: "n2" });
	expect(again.recovered.headers.length).toBe(90);
	await again.close();
});

test("compaction frees whole segments, and a reset begins anew", async () => {
	const root = newRoot();
	const log = await open(root);
	await log.append({ truncateFrom: null, entries: run(2, 100, 1) });
	const sizeBefore = log.sizeBytes();
	const compacted = await log.compact(50);
	expect(compacted).toBeGreaterThan(30);
	expect(compacted).toBeLessThanOrEqual(50);
	expect(log.sizeBytes()).toBeLessThan(sizeBefore);
	await expect(log.read(compacted, 100, 1000)).rejects.toThrow("not in the log");
	expect(await readAll(log, compacted + 1, 100)).toEqual(run(compacted + 1, 100, 1));
	await log.close();
	const again = await open(root);
	expect(again.recovered.base).toEqual({ index: compacted, term: 1 });
	await again.reset({ index: 500, term: 4 });
	await again.append({ truncateFrom: null, entries: run(501, 503, 5) });
	await again.close();
	const third = await open(root);
	expect(third.recovered.base).toEqual({ index: 500, term: 4 });
	expect(await readAll(third, 501, 503)).toEqual(run(501, 503, 5));
	await third.close();
});
