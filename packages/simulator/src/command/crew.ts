/**
 * The threads that run seeds, seen from outside: one that ends in the middle of a run, or says nothing for long, is
 * the outcome of that run. Its seed is known here only.
 */
import { Worker } from "node:worker_threads";
import { noCoverage } from "../run/coverage.ts";
import type { FailureKind } from "../run/simulate.ts";
import type { Order, Outcome } from "./run-one.ts";

export interface CrewOptions {
	/** What each thread executes: takes an Order, posts an Outcome. */
	readonly thread: URL;
	readonly threads: number;
	/** Null: there are no more. */
	readonly nextOrder: () => Order | null;
	readonly note: (outcome: Outcome) => void;
	/** How long nothing may be heard of a run; `tookMs` are those that ended, the shortest first. */
	readonly limitMs?: (order: Order, tookMs: readonly number[]) => number;
}

export interface Crew {
	/** Resolves when all orders are carried out, or the crew was stopped. */
	readonly done: Promise<void>;
	/** At once, in the middle of runs. */
	stop(): void;
	/** Runs that have not ended. */
	underWay(): readonly { readonly order: Order; readonly forMs: number }[];
}

interface Run {
	readonly order: Order;
	readonly begunAt: number;
}

/**
 * A world makes many objects that live for a simulated second or two. In the space that V8 gives to new ones by itself
 * they outlive one collection too many and are copied: a tenth of the processor's time.
 */
const youngGenerationMb = 384;

/** Null: it was stopped. */
type Ending = Outcome | null;

export function createCrew(options: CrewOptions): Crew {
	const { thread, threads, nextOrder, note, limitMs = patienceMs } = options;
	const workers = new Set<Worker>();
	const runs = new Set<Run>();
	const tookMs: number[] = [];
	let stopped = false;

	function hire(): Worker {
		const worker = new Worker(thread, { resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb } });
		workers.add(worker);
		return worker;
	}

	function dismiss(worker: Worker): void {
		workers.delete(worker);
		void worker.terminate();
	}

	async function work(): Promise<void> {
		let worker = hire();
		for (let order = nextOrder(); order !== null && !stopped; order = nextOrder()) {
			if (!workers.has(worker)) worker = hire();
			const ending = await carryOut(worker, order);
			if (ending === null) return;
			tookMs.splice(placeOf(ending.tookMs, tookMs), 0, ending.tookMs);
			note(ending);
		}
		dismiss(worker);
	}

	function carryOut(worker: Worker, order: Order): Promise<Ending> {
		const run: Run = { order, begunAt: performance.now() };
		runs.add(run);
		return new Promise((resolve) => {
			const end = (ending: Ending): void => {
				clearTimeout(timer);
				worker.off("message", end).off("error", onError).off("exit", onExit);
				runs.delete(run);
				resolve(ending);
			};
			const lose = (kind: Exclude<FailureKind, "safety">, what: string): void => {
				// Of its death throes nobody wants to hear.
				worker.on("error", () => {});
				end(stopped ? null : lostRun(run, kind, what));
				dismiss(worker);
			};
			const onError = (error: unknown): void =>
				lose("crash", error instanceof Error ? (error.stack ?? error.message) : String(error));
			const onExit = (code: number): void => lose("crash", `its thread ended with ${code}`);
			const limit = limitMs(order, tookMs);
			const timer = setTimeout(
				() => lose("liveness", `nothing was heard of the run for ${limit / 1_000} s: it hangs`),
				limit,
			);
			worker.on("message", end).on("error", onError).on("exit", onExit);
			worker.postMessage(order);
		});
	}

	return {
		done: Promise.all(Array.from({ length: threads }, work)).then(() => {}),
		stop() {
			stopped = true;
			for (const worker of workers) void worker.terminate();
		},
		underWay: () => [...runs].map(({ order, begunAt }) => ({ order, forMs: performance.now() - begunAt })),
	};
}

/** Runs before their times say how long one takes. */
const strangers = 10;

/** Generous: what is slow because the machine is busy must not be taken for what hangs. */
function patienceMs(order: Order, tookMs: readonly number[]): number {
	const median = tookMs[tookMs.length >> 1];
	if (median === undefined || tookMs.length < strangers) return Math.max(300_000, order.seconds * 5_000);
	// Some runs of real SQLite take twelve seconds of a core, twenty times the median; a busy machine made that two minutes.
	return Math.max(300_000, 60 * median);
}

function placeOf(value: number, sorted: readonly number[]): number {
	const place = sorted.findIndex((other) => other > value);
	return place === -1 ? sorted.length : place;
}

/** What a thread could not tell itself. */
function lostRun({ order, begunAt }: Run, kind: "crash" | "liveness", what: string): Outcome {
	return {
		order,
		failure: { kind, property: kind, what, events: [] },
		hash: "",
		coverage: noCoverage(),
		asked: new Map(),
		tookMs: performance.now() - begunAt,
	};
}
