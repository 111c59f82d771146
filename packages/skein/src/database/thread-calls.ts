/**
 * Calls into a worker thread: methods by name with their arguments, all that gather while the thread
 * is busy in one message, answers the same way. An error keeps its message and code.
 */
import { type MessagePort, type Transferable, Worker } from "node:worker_threads";
import { SkeinError } from "../../../client/src/errors.ts";
import { failureOf, isSqliteError } from "./sqlite-failure.ts";

export interface CallMessage {
	readonly id: number;
	readonly method: string;
	readonly parameters: readonly unknown[];
}

export type AnswerMessage =
	| { readonly id: number; readonly ok: true; readonly value: unknown }
	| { readonly id: number; readonly ok: false; readonly message: string; readonly code: string | null };

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

export function startThread(file: URL, data: unknown, onDeath: (error: Error) => void): Thread {
	const worker = new Worker(file, { workerData: data, name: "skein" });
	const pending = new Map<number, Pending>();
	let nextId = 1;
	let batch: CallMessage[] = [];
	let batchTransfer: Transferable[] = [];
	let terminated = false;
	let exited = false;

	worker.on("message", (answers: AnswerMessage[]) => {
		for (const answer of answers) {
			const call = pending.get(answer.id);
			pending.delete(answer.id);
			if (answer.ok) call?.resolve(answer.value);
			else call?.reject(new ThreadError(answer.message, answer.code));
		}
	});
	worker.on("error", die);
	worker.on("exit", (code) => {
		exited = true;
		if (!terminated) die(new Error(`a database thread ended with code ${code}`));
	});

	function die(error: Error): void {
		for (const call of pending.values()) call.reject(error);
		pending.clear();
		if (terminated) return;
		terminated = true;
		onDeath(error);
	}

	function flush(): void {
		const calls = batch;
		const transfer = batchTransfer;
		batch = [];
		batchTransfer = [];
		worker.postMessage(calls, transfer);
	}

	return {
		call(method, parameters, transfer = []) {
			if (terminated) return Promise.reject(new Error("the database thread has ended"));
			const id = nextId++;
			if (batch.length === 0) queueMicrotask(flush);
			batch.push({ id, method, parameters });
			batchTransfer.push(...transfer);
			return new Promise((resolve, reject) => {
				pending.set(id, { resolve, reject });
			});
		},
		get pending() {
			return pending.size;
		},
		get stuck() {
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
	port.on("message", serve);

	/** A method that answers later (a checkpoint that waits for its moment) holds up nothing behind it. */
	function serve(calls: readonly CallMessage[]): void {
		const answers: AnswerMessage[] = [];
		for (const call of calls) {
			const answer = run(call);
			if (answer instanceof Promise) void answer.then((late) => post([late]));
			else answers.push(answer);
		}
		post(answers);
	}

	function post(answers: readonly AnswerMessage[]): void {
		if (answers.length === 0) return;
		const transfer = answers.flatMap((answer) => (answer.ok ? transferOf(answer.value) : []));
		port.postMessage(answers, transfer);
	}

	function run({ id, method, parameters }: CallMessage): AnswerMessage | Promise<AnswerMessage> {
		try {
			const handler = methods[method];
			if (handler === undefined) throw new Error(`unknown method ${method}`);
			const value = handler(...(parameters as never[]));
			if (!(value instanceof Promise)) return { id, ok: true, value };
			return value.then(
				(later: unknown): AnswerMessage => ({ id, ok: true, value: later }),
				(error: unknown) => failed(id, error),
			);
		} catch (error) {
			return failed(id, error);
		}
	}
}

function failed(id: number, error: unknown): AnswerMessage {
	if (isSqliteError(error)) {
		const { message, code } = failureOf(error);
		return { id, ok: false, message, code };
	}
	const code = error instanceof Error && "code" in error ? String(error.code) : null;
	return { id, ok: false, message: error instanceof Error ? error.message : String(error), code };
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
