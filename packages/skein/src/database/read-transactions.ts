/**
 * Read transactions over several requests: each pins one state on a connection of its own. Their
 * threads are not those of the pool, so a client that holds one never holds up a plain read.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { Position } from "../consensus/types.ts";
import type { SharedGate } from "./begin-gate.ts";
import type { ReadTransaction } from "./database.ts";
import type { Description, ProgramOutcome } from "./program.ts";
import type { ReaderThreadData } from "./reader-thread.ts";
import type { DatabaseSettings } from "./settings.ts";
import { readError, startThread, type Thread, withinASecond } from "./thread-calls.ts";
import { workerFile } from "./worker-file.ts";

const maxThreads = 4;
/** A thread without transactions goes after this long. */
const idleThreadMs = 30_000;

interface TransactionThread {
	readonly thread: Thread;
	open: number;
	idle: NodeJS.Timeout | null;
	gone: boolean;
}

export interface ReadTransactions {
	begin(timeoutMs: number): Promise<ReadTransaction>;
	/** Before the file is replaced: none opens it now. Open transactions go on with the old one, new ones see the new. */
	suspend(): Promise<void>;
	resume(): void;
	stuckThreads(): number;
	close(): Promise<void>;
}

export function createReadTransactions(options: {
	path: string;
	settings: DatabaseSettings;
	gate: SharedGate;
	onDeath: (error: Error) => void;
}): ReadTransactions {
	const { path, settings, gate, onDeath } = options;
	let threads: TransactionThread[] = [];
	/** Ended while inside a call. */
	const leaving = new Set<Thread>();
	let nextNumber = 1;
	let suspended = false;
	/** What waits for `resume`. */
	const resumed: (() => void)[] = [];
	/** Calls under way that may open the file. */
	const beginning = new Map<Promise<unknown>, TransactionThread>();

	function start(): TransactionThread {
		const running = new Int32Array(new SharedArrayBuffer(4));
		const seat = gate.lend();
		const data: ReaderThreadData = { path, settings, running, seat };
		const thread = startThread(workerFile("reader-thread", import.meta.url), data, onDeath, () =>
			gate.giveBack(seat),
		);
		return { thread, open: 0, idle: null, gone: false };
	}

	/** One that is not in the middle of something, else a new one, else the least busy. */
	function pick(): TransactionThread {
		const free = threads.find((one) => one.thread.pending === 0);
		if (free !== undefined) return free;
		if (threads.length < maxThreads) {
			const started = start();
			threads.push(started);
			return started;
		}
		return threads.reduce((best, one) => (one.thread.pending < best.thread.pending ? one : best));
	}

	function remove(from: TransactionThread): void {
		if (from.gone) return;
		from.gone = true;
		threads = threads.filter((one) => one !== from);
		leaving.add(from.thread);
		void from.thread.terminate().then(() => leaving.delete(from.thread));
	}

	function released(from: TransactionThread): void {
		from.open--;
		if (from.open > 0) return;
		from.idle = setTimeout(() => remove(from), idleThreadMs);
		from.idle.unref();
	}

	/** A call that exceeds its time takes its thread with it: SQLite cannot be interrupted. */
	async function limited<T>(from: TransactionThread, timeoutMs: number, call: Promise<unknown>): Promise<T> {
		let timer: NodeJS.Timeout | null = null;
		const late = new Promise<never>((_, reject) => {
			timer = setTimeout(() => {
				remove(from);
				reject(
					new SkeinError("the read transaction took longer than its time limit and has ended", {
						code: "TIMEOUT",
					}),
				);
			}, timeoutMs);
		});
		try {
			return (await Promise.race([call, late])) as T;
		} catch (error) {
			throw readError(error);
		} finally {
			if (timer !== null) clearTimeout(timer);
		}
	}

	async function begin(timeoutMs: number): Promise<ReadTransaction> {
		if (suspended) await new Promise<void>((resolve) => resumed.push(resolve));
		const open = threads.reduce((sum, one) => sum + one.open, 0);
		if (open >= settings.maxReadTransactions) {
			throw new SkeinError(
				"too many read transactions are open on this node: end some, or try another node",
				{
					code: "OVERLOADED",
				},
			);
		}
		const chosen = pick();
		if (chosen.idle !== null) clearTimeout(chosen.idle);
		chosen.idle = null;
		chosen.open++;
		const number = nextNumber++;
		let closed = false;
		try {
			const call = chosen.thread.call("begin", [number]);
			beginning.set(call, chosen);
			const applied = await limited<Position>(chosen, timeoutMs, call).finally(() => beginning.delete(call));
			return {
				applied,
				run: (program, limit) =>
					limited<ProgramOutcome>(
						chosen,
						limit.timeoutMs,
						chosen.thread.call("run", [number, program, limit.timeoutMs]),
					),
				describe: (sql, limit) =>
					limited<Description>(chosen, limit.timeoutMs, chosen.thread.call("describeIn", [number, sql])),
				async close() {
					if (closed) return;
					closed = true;
					released(chosen);
					if (!chosen.gone) await chosen.thread.call("end", [number]).catch(() => {});
				},
			};
		} catch (error) {
			released(chosen);
			throw error;
		}
	}

	return {
		begin,
		async suspend() {
			suspended = true;
			// Forgotten, not ended: they end when their last transaction does.
			const old = threads;
			threads = [];
			for (const one of old) if (one.open === 0) remove(one);
			await withinASecond(Promise.allSettled(beginning.keys()));
			for (const one of beginning.values()) remove(one);
		},
		resume() {
			suspended = false;
			for (const proceed of resumed.splice(0)) proceed();
		},
		stuckThreads: () =>
			threads.filter((one) => one.thread.stuck).length + [...leaving].filter((thread) => thread.stuck).length,
		async close() {
			for (const one of threads) if (one.idle !== null) clearTimeout(one.idle);
			await withinASecond(Promise.all(threads.map((one) => one.thread.terminate())));
		},
	};
}
