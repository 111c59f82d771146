/**
 * The log under random work with a crash at any boundary between two disk operations, on a disk that
 * keeps any part of what was not synced. Each case follows from its seed; a failure names it.
 */
import { expect, test } from "vitest";
import type { Entry, LogIndex, Position, VotePromise } from "../consensus/types.ts";
import { isDiskFull } from "../world/disk.ts";
import { createMemoryDisk, DiskStoppedError, type MemoryDisk } from "../world/testing/memory-disk.ts";
import { ofRandomRuns } from "../world/testing/random-share.ts";
import { LogFailedError } from "./errors.ts";
import type { Log } from "./log.ts";
import { openLog } from "./segmented-log.ts";

const identity = { clusterId: "c", nodeId: "n1", incarnation: "i" };

/** What a log may hold: the state after some prefix of the changes that were asked for. */
interface Model {
	readonly base: Position;
	readonly entries: readonly Entry[];
	readonly promise: VotePromise;
}

interface Run {
	readonly disk: MemoryDisk;
	readonly random: () => number;
	log: Log | null;
	/** states[0] is certain; each later one is the effect of one more change. */
	states: Model[];
	term: number;
	/** Everything up to here was compacted away. */
	compacted: LogIndex;
}

function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let value = Math.imul(state ^ (state >>> 15), 1 | state);
		value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
		return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
	};
}

const bootstrap: Entry[] = [
	{ index: 1, term: 1, kind: "configuration", payload: new Uint8Array(20).fill(9) },
];
const created: Model = {
	base: { index: 0, term: 0 },
	entries: bootstrap,
	promise: { term: 1, votedFor: null },
};

function open(run: Run): Promise<Log> {
	const settings = { segmentBytes: 1500, cacheBytes: 500 };
	return openLog({ disk: run.disk, directory: "log", create: identity, bootstrap, settings });
}

const below = (run: Run, bound: number) => Math.floor(run.random() * bound);
const lastOf = (model: Model): LogIndex => model.base.index + model.entries.length;

function newest(run: Run): Model {
	const model = run.states.at(-1);
	if (model === undefined) throw new Error("no state");
	return model;
}

function newEntries(run: Run, first: LogIndex): Entry[] {
	return Array.from({ length: 1 + below(run, 4) }, (_, place) => {
		const sizeBytes = run.random() < 0.05 ? 2000 : below(run, 200);
		const payload = Uint8Array.from({ length: sizeBytes }, () => below(run, 256));
		return { index: first + place, term: run.term, kind: "command", payload };
	});
}

/** One change, given to the log and to the model. */
function change(run: Run, log: Log): Promise<void> {
	const model = newest(run);
	const dice = run.random();
	const last = lastOf(model);
	if (dice < 0.15) {
		run.term++;
		// A long name lies in several pieces of what a device writes whole.
		const votedFor = run.random() < 0.5 ? `n${run.term}`.repeat(20) : null;
		const promise = { term: run.term, votedFor };
		run.states.push({ ...model, promise });
		return log.writePromise(promise);
	}
	if (dice < 0.2) {
		run.term++;
		const base = { index: below(run, last + 20) + 1, term: run.term };
		run.compacted = 0;
		run.states.push({ ...model, base, entries: [] });
		return log.reset(base);
	}
	const present = last - Math.max(run.compacted, model.base.index);
	const truncate = dice < 0.4 && present > 0;
	const first = truncate ? last - below(run, Math.min(present, 12)) : last + 1;
	if (truncate) run.term++;
	const isPureCut = truncate && run.random() < 0.2;
	const entries = isPureCut ? [] : newEntries(run, first);
	const kept = model.entries.slice(0, first - 1 - model.base.index);
	// A crash may part the cut from the append, and a cut through several segments in the middle: the
	// entries to be cut go from the end, and none before the cut is ever lost.
	for (let end = last - 1; truncate && end >= first - 1; end--) {
		run.states.push({ ...model, entries: model.entries.slice(0, end - model.base.index) });
	}
	for (let count = 1; count <= entries.length; count++) {
		run.states.push({ ...model, entries: [...kept, ...entries.slice(0, count)] });
	}
	return log.append({ truncateFrom: truncate ? first : null, entries });
}

async function work(run: Run): Promise<void> {
	const log = run.log;
	if (log === null) return;
	const pending: Promise<void>[] = [];
	const steps = 1 + below(run, 12);
	for (let step = 0; step < steps; step++) {
		const wanted = change(run, log);
		const state = newest(run);
		pending.push(
			wanted.then(
				() => {
					// Acknowledged: nothing older may come back.
					run.states = run.states.slice(run.states.indexOf(state));
				},
				(error: unknown) => {
					if (!isStop(error)) throw error;
				},
			),
		);
		if (run.random() < 0.5) await Promise.all(pending);
		if (run.random() < 0.1) await compact(run, log);
	}
	await Promise.all(pending);
}

async function compact(run: Run, log: Log): Promise<void> {
	const certain = run.states[0];
	if (certain === undefined || run.states.length > 1) return;
	// What is compacted may or may not be there after a crash: comparisons begin after the base found.
	try {
		run.compacted = await log.compact(certain.base.index + below(run, certain.entries.length + 1));
	} catch (error) {
		if (!isStop(error)) throw error;
	}
}

function isStop(error: unknown): boolean {
	if (error instanceof DiskStoppedError || isFailedSync(error)) return true;
	return error instanceof LogFailedError && (error.cause === undefined || isStop(error.cause));
}

function isFailedSync(error: unknown): boolean {
	return error instanceof Error && "code" in error && error.code === "EIO";
}

/** Which of the possible states was found. */
async function check(run: Run, log: Log): Promise<Model> {
	const { base, headers, promise } = log.recovered;
	const found: Entry[] = [];
	while (found.length < headers.length) {
		const first = base.index + found.length + 1;
		found.push(...(await log.read(first, base.index + headers.length, 1000)));
	}
	const model = run.states.find((state) => isSame(state, base, found, promise));
	expect(headers).toEqual(
		found.map(({ index, term, payload }) => ({ index, term, sizeBytes: payload.length })),
	);
	if (model === undefined) {
		const possible = run.states.map((one) => [one.base.index, lastOf(one), one.promise.term]);
		const really = [base.index, base.index + found.length, promise.term];
		throw new Error(`found ${JSON.stringify(really)}, possible ${JSON.stringify(possible)}`);
	}
	return { base, entries: found, promise };
}

function isSame(model: Model, base: Position, found: readonly Entry[], promise: VotePromise): boolean {
	if (model.promise.term !== promise.term || model.promise.votedFor !== promise.votedFor) return false;
	if (base.index < model.base.index || base.index > lastOf(model)) return false;
	const expected = model.entries.slice(base.index - model.base.index);
	if (expected.length !== found.length) return false;
	const before =
		base.index === model.base.index ? model.base : model.entries[base.index - model.base.index - 1];
	if (before?.term !== base.term) return false;
	return expected.every((entry, place) => {
		const other = found[place];
		return (
			other?.index === entry.index &&
			other.term === entry.term &&
			other.kind === entry.kind &&
			other.payload.length === entry.payload.length &&
			other.payload.every((byte, position) => byte === entry.payload[position])
		);
	});
}

async function runSeed(seed: number): Promise<number> {
	const run = newRun(seed);
	const { disk } = run;
	for (let life = 0; life < 4; life++) {
		// Now and then only opened: what was found then must be durable, though nothing was written since.
		const isOnlyOpened = run.random() < 0.2;
		disk.faults.stopAt = disk.operations + below(run, life === 0 ? 80 : 120);
		await live(run, isOnlyOpened ? 0 : 1);
		if (run.random() < 0.5) disk.kill();
		else disk.crash();
	}
	await live(run, 0);
	return disk.operations;
}

/**
 * A sync fails, which ends the process; the next life ends while it starts, or later, on a disk that may have
 * no room for the zeros that would go over what is left behind the end.
 */
async function runSeedWithFailedSync(seed: number): Promise<number> {
	const run = newRun(seed);
	const { disk } = run;
	await live(run, 1 + below(run, 3));
	disk.kill();
	for (let life = 0; life < 3; life++) {
		disk.faults.syncsLeft = below(run, 20);
		await live(run, 3);
		disk.faults.syncsLeft = Number.POSITIVE_INFINITY;
		if (run.random() < 0.8) disk.kill();
		else disk.crash();
		if (run.random() < 0.7) disk.faults.stopAt = disk.operations + below(run, 24);
		if (run.random() < 0.5) disk.faults.capacityBytes = 0;
		await live(run, below(run, 2));
		disk.crash();
	}
	await live(run, 1);
	return disk.operations;
}

function newRun(seed: number): Run {
	const random = seeded(seed);
	const disk = createMemoryDisk(random);
	return { disk, random, log: null, states: [created], term: 1, compacted: 0 };
}

/** Opens the log, looks at what is there, and works so many times. What ended the process is its end. */
async function live(run: Run, times: number): Promise<void> {
	try {
		run.log = await open(run);
		run.disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
		const model = await check(run, run.log);
		run.states = [model];
		run.compacted = 0;
		run.term = Math.max(run.term, model.promise.term, model.entries.at(-1)?.term ?? model.base.term);
		for (let time = 0; time < times; time++) await work(run);
	} catch (error) {
		if (!isStop(error)) throw error;
	}
}

async function runSeeds(count: number, runOne: (seed: number) => Promise<number>): Promise<number> {
	let operations = 0;
	for (let seed = 1; seed <= count; seed++) {
		try {
			operations += await runOne(seed);
		} catch (error) {
			throw new Error(`seed ${seed}`, { cause: error });
		}
	}
	return operations;
}

test("a crash at any boundary loses nothing acknowledged and brings back nothing else", async () => {
	const runs = ofRandomRuns(2000);
	expect(await runSeeds(runs, runSeed)).toBeGreaterThan(runs * 50);
});

test("nor does a crash after a sync that failed, whatever the page cache shows then", async () => {
	const runs = ofRandomRuns(300);
	expect(await runSeeds(runs, runSeedWithFailedSync)).toBeGreaterThan(runs * 100);
});

test("a full disk refuses what does not fit, keeps what was acknowledged, and works again with room", async () => {
	for (let seed = 1; seed <= ofRandomRuns(200); seed++) {
		const random = seeded(seed);
		const disk = createMemoryDisk(random);
		const run: Run = { disk, random, log: null, states: [created], term: 1, compacted: 0 };
		const log = await open(run);
		disk.faults.capacityBytes = 10_000 + below(run, 4000);
		let acknowledged = 1;
		let refused = 0;
		while (refused === 0) {
			const entries = newEntries(run, acknowledged + 1);
			await log.append({ truncateFrom: null, entries }).then(
				() => {
					acknowledged += entries.length;
				},
				(error: unknown) => {
					if (!isDiskFull(error)) throw error;
					refused++;
				},
			);
		}
		expect(log.readCached(acknowledged + 1, acknowledged + 1, 100)).toBe(null);
		if (seed % 2 === 0) disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
		const again: Entry[] = [
			{ index: acknowledged + 1, term: 2, kind: "command", payload: new Uint8Array(10) },
		];
		const isWritten = await log.append({ truncateFrom: null, entries: again }).then(
			() => true,
			(error: unknown) => {
				if (!isDiskFull(error)) throw error;
				return false;
			},
		);
		if (seed % 2 === 0) expect(isWritten).toBe(true);
		disk.crash();
		disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
		const recovered = await open(run);
		expect(recovered.recovered.headers.length).toBe(acknowledged + (isWritten ? 1 : 0));
		await recovered.close();
	}
});

test("after a failed sync every later call is refused, also when the disk would work again", async () => {
	const disk = createMemoryDisk(seeded(1));
	const run: Run = { disk, random: seeded(1), log: null, states: [created], term: 1, compacted: 0 };
	const log = await open(run);
	disk.faults.syncsLeft = 0;
	const entries = newEntries(run, 2);
	await expect(log.append({ truncateFrom: null, entries })).rejects.toThrow(LogFailedError);
	disk.faults.syncsLeft = Number.POSITIVE_INFINITY;
	await expect(log.append({ truncateFrom: null, entries })).rejects.toThrow(LogFailedError);
	await expect(log.writePromise({ term: 2, votedFor: null })).rejects.toThrow(LogFailedError);
	await expect(log.reset({ index: 9, term: 2 })).rejects.toThrow(LogFailedError);
	await expect(log.compact(1)).rejects.toThrow(LogFailedError);
	await log.close();
});
