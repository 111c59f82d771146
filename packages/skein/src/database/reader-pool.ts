/**
 * Reader threads for programs that are one request: all that wait when a reader becomes free go to it
 * in one message. SQLite cannot be interrupted from Node, so a read that takes long is worked
 * around: what was given to the same reader behind it is given to another (reads may run twice), and
 * at its time limit the reader is abandoned and replaced; its thread ends when the read returns.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { SharedGate } from "./begin-gate.ts";
import type { ReadOutcome } from "./database.ts";
import type { LogExplanation } from "./explanation.ts";
import type { LogFormat } from "./log-format.ts";
import { type PackedRead, packProgram, unpackRead } from "./packing.ts";
import type { Description, Program } from "./program.ts";
import type { ReaderThreadData } from "./reader-thread.ts";
import type { DatabaseSettings } from "./settings.ts";
import { readError, startThread, type Thread, withinASecond } from "./thread-calls.ts";
import { workerFile } from "./worker-file.ts";

/** A reader that is silent for this long is looked at. */
const lookAfterMs = 20;
const maxBatch = 32;
/** Instead of a ticket, before the first. */
const notBegun = 0;
/** They fit 32 bits, and begin anew. */
const lastTicket = 0x7fffffff;
/** Describing runs nothing; it can only wait for a reader. */
const describeTimeoutMs = 10_000;

interface Read {
	readonly ticket: number;
	readonly method: "read" | "describe" | "format" | "explain";
	/** Those behind the ticket. */
	readonly parameters: readonly unknown[];
	readonly resolve: (answer: unknown) => void;
	readonly reject: (error: unknown) => void;
	deadline: number;
	settled: boolean;
}

interface PooledReader {
	readonly thread: Thread;
	readonly running: Int32Array;
	/** Given to it and not answered by it. */
	readonly reads: Map<number, Read>;
	busySince: number;
	abandoned: boolean;
	/** In a read that nobody waits for any more, and not replaced: too many have been. */
	late: boolean;
}

export interface ReaderPool {
	read(program: Program, timeoutMs: number): Promise<ReadOutcome>;
	describe(sql: string): Promise<Description>;
	format(): Promise<LogFormat>;
	explain(sql: string, format: LogFormat | null): Promise<LogExplanation>;
	/** Before the file is replaced: no reader is left, and none opens the file. What ran will run again. */
	suspend(): Promise<void>;
	resume(): void;
	stuckThreads(): number;
	close(): Promise<void>;
}

export interface ReaderPoolOptions {
	readonly path: string;
	readonly settings: DatabaseSettings;
	readonly gate: SharedGate;
	readonly onDeath: (error: Error) => void;
}

export function createReaderPool(options: ReaderPoolOptions): ReaderPool {
	const { path, settings, gate } = options;
	let queue: Read[] = [];
	/** Each is started when a read finds no free one, the first too: a node that is not asked is small. */
	let readers: PooledReader[] = [];
	const leaving = new Set<PooledReader>();
	let nextTicket = notBegun + 1;
	let looking: NodeJS.Timeout | null = null;
	let scheduled = false;
	let closed = false;
	let suspended = false;

	function start(): PooledReader {
		const running = new Int32Array(new SharedArrayBuffer(4));
		const seat = gate.lend();
		const data: ReaderThreadData = { path, settings, running, seat };
		const thread = startThread(workerFile("reader-thread", import.meta.url), data, options.onDeath, () =>
			gate.giveBack(seat),
		);
		return { thread, running, reads: new Map(), busySince: 0, abandoned: false, late: false };
	}

	/** Once a turn: everything that one turn of the event loop brought shares the messages. */
	function schedule(): void {
		if (scheduled) return;
		scheduled = true;
		setImmediate(() => {
			scheduled = false;
			dispatch();
		});
	}

	function dispatch(): void {
		if (suspended) return;
		const free = readers.filter((reader) => reader.reads.size === 0);
		if (free.length === 0 && queue.length > 0 && readers.length < settings.readers) {
			const started = start();
			readers.push(started);
			free.push(started);
		}
		if (free.length === 0 || queue.length === 0) return look();
		const share = Math.min(maxBatch, Math.ceil(queue.length / free.length));
		for (const reader of free) {
			const batch = queue.splice(0, share);
			if (batch.length === 0) break;
			reader.busySince = performance.now();
			for (const read of batch) give(reader, read);
		}
		look();
	}

	function give(reader: PooledReader, read: Read): void {
		reader.reads.set(read.ticket, read);
		const finish = (ok: boolean, settle: () => void): void => {
			const mine = reader.reads.delete(read.ticket);
			// Given to another reader meanwhile: that this one could not finish it is no answer.
			if (!read.settled && (ok || mine)) {
				read.settled = true;
				settle();
			}
			if (reader.reads.size > 0) return;
			reader.late = false;
			if (reader.abandoned) retire(reader);
			else if (queue.length > 0) dispatch();
		};
		reader.thread.call(read.method, [read.ticket, ...read.parameters]).then(
			(answer) => finish(true, () => read.resolve(answer)),
			(error: unknown) => finish(false, () => read.reject(readError(error))),
		);
	}

	function look(): void {
		if (looking !== null || closed || readers.every((reader) => reader.reads.size === 0)) return;
		looking = setTimeout(() => {
			looking = null;
			const now = performance.now();
			for (const reader of readers)
				if (reader.reads.size > 0 && now - reader.busySince > lookAfterMs) help(reader, now);
			dropLate(now);
			dispatch();
		}, lookAfterMs);
		looking.unref();
	}

	/** The reader has been in its batch for long: the rest of it goes elsewhere. */
	function help(reader: PooledReader, now: number): void {
		const current = Atomics.load(reader.running, 0);
		if (current === notBegun) return giveUpLate(reader, now);
		for (const read of reader.reads.values()) {
			if (read.ticket === current && !read.settled && now > read.deadline) return abandon(reader, read);
		}
		const stuck = [...reader.reads.values()].filter((read) => read.ticket !== current && !read.settled);
		for (const read of stuck) reader.reads.delete(read.ticket);
		queue.unshift(...stuck);
	}

	/** Its thread is still being started: no other could have begun sooner. */
	function giveUpLate(reader: PooledReader, now: number): void {
		for (const read of reader.reads.values()) {
			if (read.settled || now <= read.deadline) continue;
			read.settled = true;
			read.reject(tooLong());
		}
	}

	function abandon(reader: PooledReader, late: Read): void {
		late.settled = true;
		late.reject(tooLong());
		if (leaving.size >= settings.maxAbandonedReaders) {
			reader.late = true;
			return;
		}
		reader.abandoned = true;
		leaving.add(reader);
		const others = [...reader.reads.values()].filter((read) => read !== late && !read.settled);
		for (const read of others) reader.reads.delete(read.ticket);
		queue.unshift(...others);
		readers = readers.map((one) => (one === reader ? start() : one));
	}

	function retire(reader: PooledReader): void {
		leaving.delete(reader);
		void reader.thread.terminate();
	}

	function dropLate(now: number): void {
		const late = queue.filter((read) => now > read.deadline);
		if (late.length === 0) return;
		queue = queue.filter((read) => now <= read.deadline);
		for (const read of late) {
			read.settled = true;
			read.reject(
				new SkeinError("the read waited too long for a reader: all of them are busy", { code: "TIMEOUT" }),
			);
		}
	}

	function ask(method: Read["method"], parameters: readonly unknown[], timeoutMs: number): Promise<unknown> {
		if (closed) return Promise.reject(new SkeinError("the database is closed", { code: "NO_LEADER" }));
		if (readers.length >= settings.readers && readers.every((reader) => reader.late)) {
			return Promise.reject(
				new SkeinError("all readers of this node are in reads that take too long: try another node", {
					code: "OVERLOADED",
				}),
			);
		}
		if (queue.length >= settings.maxQueuedReads) {
			return Promise.reject(
				new SkeinError("too many reads are waiting: try again later", { code: "OVERLOADED" }),
			);
		}
		return new Promise((resolve, reject) => {
			const ticket = nextTicket;
			nextTicket = nextTicket === lastTicket ? notBegun + 1 : nextTicket + 1;
			const deadline = performance.now() + timeoutMs;
			queue.push({ ticket, method, parameters, resolve, reject, deadline, settled: false });
			schedule();
		});
	}

	return {
		async read(program, timeoutMs) {
			const answer = await ask("read", [packProgram(program), timeoutMs], timeoutMs);
			return unpackRead(answer as PackedRead);
		},
		describe: (sql) => ask("describe", [sql], describeTimeoutMs) as Promise<Description>,
		format: () => ask("format", [], describeTimeoutMs) as Promise<LogFormat>,
		explain: (sql, format) => ask("explain", [sql, format], describeTimeoutMs) as Promise<LogExplanation>,
		async suspend() {
			suspended = true;
			const old = readers;
			readers = [];
			for (const reader of old) {
				const unsettled = [...reader.reads.values()].filter((read) => !read.settled);
				queue.unshift(...unsettled);
				reader.reads.clear();
			}
			// One inside a long query has the old file open, and opens nothing any more.
			await withinASecond(Promise.all(old.map((reader) => reader.thread.terminate())));
		},
		resume() {
			suspended = false;
			schedule();
		},
		stuckThreads: () => [...readers, ...leaving].filter((reader) => reader.thread.stuck).length,
		async close() {
			closed = true;
			if (looking !== null) clearTimeout(looking);
			for (const read of queue.splice(0))
				read.reject(new SkeinError("this node is stopping", { code: "NO_LEADER" }));
			// A thread inside a long query ends only with it; the process does not wait.
			await withinASecond(Promise.all([...readers, ...leaving].map((reader) => reader.thread.terminate())));
		},
	};
}

function tooLong(): SkeinError {
	return new SkeinError("the read took longer than its time limit", { code: "TIMEOUT" });
}
