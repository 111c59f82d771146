/**
 * Calls into a worker thread: methods by name with their arguments, all that gather while the thread
 * is busy in one message, answers the same way. An error keeps its message and code.
 *
 * A quiet call is one whose success nobody needs to hear at once: the thread counts it in shared
 * memory and sends nothing, since a message wakes the event loop and costs more than the call. The
 * caller looks at the count with the next answer, or watches it when somebody waits (`hurry`). After
 * a quiet call that failed all are answered aloud, so that the count never passes a failure.
 */
import { type MessagePort, type Transferable, Worker, workerData } from "node:worker_threads";
import { SkeinError } from "../../../client/src/errors.ts";
import { failureOf, isSqliteError } from "./sqlite-failure.ts";

/** Tuples: see packing.ts. */
type CallMessage = readonly [id: number, method: string, parameters: readonly unknown[], quiet: boolean];

type AnswerMessage =
	| readonly [id: number, ok: true, value: unknown]
	| readonly [id: number, ok: false, message: string, code: string | null];

/** The methods of a thread: plain functions on plain data. */
export type Methods = Readonly<Record<string, (...parameters: never[]) => unknown>>;

/** An error that came from a thread. */
export class ThreadError extends Error {
	readonly code: string | null;
	constructor(message: string, code: string | null) {
		super(message);
		this.code = code;
	}
}

/** For what reaches clients: a thread's error as theirs. Only of calls that change nothing. */
export function readError(error: unknown): SkeinError {
	if (error instanceof SkeinError) return error;
	if (error instanceof ThreadError)
		return new SkeinError(error.message, { code: error.code ?? "INTERNAL", cause: error });
	// The thread is gone, and with it this node: another one may be asked.
	return new SkeinError("this node cannot read any more", { code: "NO_LEADER", cause: error });
}

export interface Thread {
	/** `transfer`: buffers in the parameters that are handed over instead of copied. */
	call(method: string, parameters: readonly unknown[], transfer?: readonly Transferable[]): Promise<unknown>;
	/** Resolves, without a value, with some later answer, or soon after it is done once `hurry` was called. */
	callQuietly(method: string, parameters: readonly unknown[]): Promise<unknown>;
	/** Somebody waits for quiet calls. */
	hurry(): void;
	/** Calls that were made and not answered. */
	readonly pending: number;
	/** Inside a call that does not end: SQLite cannot be interrupted, and not even `process.exit` goes on before it ends. */
	readonly stuck: boolean;
	terminate(): Promise<void>;
}

interface Pending {
	readonly resolve: (value: unknown) => void;
	readonly reject: (error: Error) => void;
}

/** What every thread gets with its own data. */
interface ThreadData {
	/** The number of the last quiet call that was done; it wraps. */
	readonly quietlyDone: Int32Array;
}

/** `ended`: the thread is gone, however. */
export function startThread(
	file: URL,
	data: object,
	onDeath: (error: Error) => void,
	ended: () => void = () => {},
): Thread {
	const quietlyDone = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
	const threadData: ThreadData = { ...data, quietlyDone };
	const worker = new Worker(file, { workerData: threadData, name: "skein" });
	const pending = new Map<number, Pending>();
	/** Quiet calls that are not known to be done, oldest first. */
	const quiet: { readonly number: number; readonly id: number }[] = [];
	let quietCalls = 0;
	let watching = false;
	let nextId = 1;
	let batch: CallMessage[] = [];
	let batchTransfer: Transferable[] = [];
	let terminated = false;
	let exited = false;

	worker.on("message", (answers: AnswerMessage[]) => {
		collect();
		for (const answer of answers) {
			const call = pending.get(answer[0]);
			pending.delete(answer[0]);
			if (answer[1]) call?.resolve(answer[2]);
			else call?.reject(new ThreadError(answer[2], answer[3]));
		}
	});
	worker.on("error", die);
	worker.on("exit", (code) => {
		exited = true;
		ended();
		if (!terminated) die(new Error(`a database thread ended with code ${code}`));
	});

	function die(error: Error): void {
		for (const call of pending.values()) call.reject(error);
		pending.clear();
		if (terminated) return;
		terminated = true;
		onDeath(error);
	}

	/** Resolves the quiet calls that are done. Returns the count that it saw. */
	function collect(): number {
		const done = Atomics.load(quietlyDone, 0);
		for (let first = quiet[0]; first !== undefined; first = quiet[0]) {
			const isOpen = pending.has(first.id);
			// A difference, since the count wraps.
			if (isOpen && ((done - first.number) | 0) < 0) break;
			quiet.shift();
			pending.get(first.id)?.resolve(undefined);
			pending.delete(first.id);
		}
		return done;
	}

	async function watch(): Promise<void> {
		if (watching) return;
		watching = true;
		for (let seen = collect(); quiet.length > 0 && !terminated; seen = collect()) {
			const change = Atomics.waitAsync(quietlyDone, 0, seen);
			if (change.async) await change.value;
		}
		watching = false;
	}

	function enqueue(method: string, parameters: readonly unknown[], isQuiet: boolean): Promise<unknown> {
		if (terminated) return Promise.reject(new Error("the database thread has ended"));
		const id = nextId++;
		if (isQuiet) {
			quietCalls = (quietCalls + 1) | 0;
			quiet.push({ number: quietCalls, id });
		}
		batch.push([id, method, parameters, isQuiet]);
		// A quiet call waits for what the promise callbacks of this turn have to do: whose call it was
		// comes first (a client's answer before the commit behind it).
		if (!isQuiet) queueMicrotask(flush);
		else if (batch.length === 1) process.nextTick(flush);
		return new Promise((resolve, reject) => {
			pending.set(id, { resolve, reject });
		});
	}

	function flush(): void {
		if (batch.length === 0) return;
		const calls = batch;
		const transfer = batchTransfer;
		batch = [];
		batchTransfer = [];
		worker.postMessage(calls, transfer);
	}

	return {
		call(method, parameters, transfer = []) {
			if (!terminated) batchTransfer.push(...transfer);
			return enqueue(method, parameters, false);
		},
		callQuietly: (method, parameters) => enqueue(method, parameters, true),
		hurry() {
			void watch();
		},
		get pending() {
			return pending.size;
		},
		get stuck() {
			collect();
			return !exited && (terminated || pending.size > 0);
		},
		async terminate() {
			terminated = true;
			await worker.terminate();
			for (const call of pending.values()) call.reject(new Error("the database is closed"));
			pending.clear();
		},
	};
}

/** The thread's side. `transferOf` names the buffers of an answer that are handed over instead of copied. */
export function serveCalls(
	port: MessagePort,
	methods: Methods,
	transferOf: (value: unknown) => Transferable[],
): void {
	const { quietlyDone } = workerData as ThreadData;
	let quietFailed = false;
	port.on("message", serve);

	function serve(calls: readonly CallMessage[]): void {
		const answers: AnswerMessage[] = [];
		for (const call of calls) {
			const answer = run(call);
			const [, , , isQuiet] = call;
			if (!isQuiet || !isCounted(answer)) answers.push(answer);
		}
		post(answers);
	}

	function isCounted(answer: AnswerMessage): boolean {
		if (!answer[1]) quietFailed = true;
		if (!quietFailed) Atomics.add(quietlyDone, 0, 1);
		Atomics.notify(quietlyDone, 0);
		return !quietFailed;
	}

	function post(answers: readonly AnswerMessage[]): void {
		if (answers.length === 0) return;
		const transfer = answers.flatMap((answer) => (answer[1] ? transferOf(answer[2]) : []));
		port.postMessage(answers, transfer);
	}

	function run([id, method, parameters]: CallMessage): AnswerMessage {
		try {
			const handler = methods[method];
			if (handler === undefined) throw new Error(`unknown method ${method}`);
			return [id, true, handler(...(parameters as never[]))];
		} catch (error) {
			return failed(id, error);
		}
	}
}

function failed(id: number, error: unknown): AnswerMessage {
	if (isSqliteError(error)) {
		const { message, code } = failureOf(error);
		return [id, false, message, code];
	}
	const code = error instanceof Error && "code" in error ? String(error.code) : null;
	return [id, false, error instanceof Error ? error.message : String(error), code];
}

/** Waits for `work`, but no longer. */
export async function withinASecond(work: Promise<unknown>): Promise<void> {
	let timer: NodeJS.Timeout | undefined;
	const limit = new Promise<void>((resolve) => {
		timer = setTimeout(resolve, 1_000);
		timer.unref();
	});
	await Promise.race([work, limit]);
	clearTimeout(timer);
}
