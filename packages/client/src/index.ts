// connect(): a client of a Skein cluster for browsers and Node, without dependencies. The public entry.
import { SkeinError } from "./errors.ts";
import {
	decodePipeline,
	decodeResult,
	decodeTransaction,
	executeRequest,
	type PipelineRequest,
	type Result,
	type StatementInput,
	transactionRequest,
} from "./pipeline.ts";
import { createRouter, type RoutedRequest } from "./routing.ts";
import { createSession } from "./session.ts";
import { openStream, type Stream, type TransactionStream } from "./stream.ts";
import type { Arguments, IntegerMode } from "./values.ts";

export { type ClientErrorCode, type Outcome, SkeinError, type SkeinErrorCode } from "./errors.ts";
export type { Result, StatementInput } from "./pipeline.ts";
export type { Stream } from "./stream.ts";
export type { Argument, Arguments, IntegerMode, Value } from "./values.ts";

/** What a read promises. */
export type ConsistencyText = "linearizable" | "session" | "eventual" | `bounded;max-staleness-ms=${number}`;

export interface ConnectOptions {
	/** For every request that does not say its own; the server's default is "linearizable". */
	readonly consistency?: ConsistencyText;
	/** How long a request may take in all, with every retry. Default 30 s. */
	readonly timeoutMs?: number;
	/** How long to go on while no node can be reached at all. Default 5 s. */
	readonly connectTimeoutMs?: number;
	/** How INTEGER values come back. Default "auto". */
	readonly integers?: IntegerMode;
	/** When writes are answered; the default is the node's own, most often "quorum". */
	readonly acknowledgement?: Acknowledgement;
	/** Sent with every request, for instance `authorization`. */
	readonly headers?: Readonly<Record<string, string>>;
}

/** What a write waits for. "async", and "semi-sync" with few followers, can lose it with the leader; the others lose nothing. */
export type Acknowledgement =
	| "async"
	| "semi-sync"
	| `semi-sync;k=${number}`
	| "quorum"
	| "sync"
	| "sync;strict"
	| "chain";

export interface RequestOptions {
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal;
	/**
	 * What a read promises. "session": it shows at least what earlier requests of this client wrote or saw,
	 * on any node.
	 */
	readonly consistency?: ConsistencyText;
	/**
	 * Makes a write safe to send twice. Writes get a random one by default; give your own to make
	 * it safe over restarts of your program, or null for none (then an unknown outcome is yours).
	 */
	readonly idempotencyKey?: string | null;
	/** When a write is answered; the default is the client's. */
	readonly acknowledgement?: Acknowledgement;
}

/** A transaction over several requests. */
export interface Transaction {
	execute(sql: string, args?: Arguments): Promise<Result>;
}

export interface Client {
	/** Runs one statement. */
	execute(sql: string, args?: Arguments, options?: RequestOptions): Promise<Result>;
	/** Runs all statements in one transaction: all of them happen, or none. */
	batch(statements: readonly (string | StatementInput)[], options?: RequestOptions): Promise<Result[]>;
	/**
	 * Runs `work` in a transaction that is committed when its promise resolves and rolled back when
	 * it rejects. It holds the one write lock all the while: prefer `batch` where it is enough.
	 */
	transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
	/** A connection in SQLite's sense, for a shell: BEGIN in one request, COMMIT in a later one. */
	openStream(): Stream;
	/** GET or POST of one of the server's other paths, such as "cluster", on whichever node answers. */
	call(method: "GET" | "POST", path: string, body?: unknown, options?: RequestOptions): Promise<unknown>;
	/** Every later call fails. Nothing is held that would have to be closed: requests end by themselves. */
	close(): void;
}

const defaultTimeoutMs = 30_000;
const defaultConnectTimeoutMs = 5_000;

/**
 * A client of the cluster behind these URLs. Any node will do; with several, the next is tried when
 * one cannot be reached.
 *
 *     const database = connect(["http://127.0.0.1:8080", "http://127.0.0.1:8081"]);
 *     await database.execute("insert into goose (name) values (?)", ["Akka"]);
 */
export function connect(urls: string | readonly string[], options: ConnectOptions = {}): Client {
	const list = typeof urls === "string" ? [urls] : urls;
	if (list.length === 0) throw new SkeinError("no URL was given", { code: "BAD_REQUEST" });
	const session = createSession();
	const router = createRouter(list, session);
	const integers = options.integers ?? "auto";
	let isClosed = false;

	const route = (
		path: string,
		method: "GET" | "POST",
		body: unknown,
		isRepeatable: boolean,
		request: RequestOptions,
	): RoutedRequest => {
		if (isClosed) throw new SkeinError("the client is closed", { code: "CLOSED" });
		return {
			path,
			method,
			headers: headersOf(options, request),
			isSession: (request.consistency ?? options.consistency) === "session",
			body: body === undefined ? null : JSON.stringify(body),
			timeoutMs: request.timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs,
			connectTimeoutMs: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
			isRepeatable,
			signal: request.signal,
		};
	};

	const run = async (
		pipelineRequest: PipelineRequest,
		isRead: boolean,
		given: RequestOptions,
	): Promise<{ response: Readonly<Record<string, unknown>>; session: string | null }> => {
		const idempotencyKey =
			given.idempotencyKey === undefined && !isRead ? crypto.randomUUID() : (given.idempotencyKey ?? null);
		const body = { requests: [pipelineRequest, { type: "close" }] };
		const isRepeatable = isRead || idempotencyKey !== null;
		const request = { ...given, idempotencyKey };
		const answer = await router.request(route("v2/pipeline", "POST", body, isRepeatable, request));
		const [result] = decodePipeline(answer.body, 2).results;
		if (result instanceof SkeinError) throw result;
		if (result === undefined)
			throw new SkeinError("no result", { code: "PROTOCOL_ERROR", outcome: "unknown" });
		return { response: result, session: answer.session };
	};

	const stream = (): TransactionStream =>
		openStream({
			router,
			session,
			integers,
			route: (body, signal) =>
				route("v3/pipeline", "POST", body, false, signal === undefined ? {} : { signal }),
		});

	return {
		async execute(sql, args, request = {}) {
			const { response, session } = await run(executeRequest({ sql, args }), isRead(sql), request);
			return decodeResult(response["result"], session, integers);
		},
		async batch(statements, request = {}) {
			if (statements.length === 0) return [];
			const inputs = statements.map((statement) =>
				typeof statement === "string" ? { sql: statement } : statement,
			);
			const isReadOnly = inputs.every((input) => isRead(input.sql));
			const { response, session } = await run(transactionRequest(inputs, isReadOnly), isReadOnly, request);
			return decodeTransaction(response["result"], inputs.length, session, integers);
		},
		async transaction(work) {
			const own = stream();
			try {
				await own.execute("BEGIN IMMEDIATE");
				const value = await work({ execute: (sql, args) => own.executeInside(sql, args) });
				await own.executeInside("COMMIT");
				return value;
			} finally {
				// Rolls back what is still open.
				await own.close();
			}
		},
		openStream: stream,
		async call(method, path, body, request = {}) {
			return (await router.request(route(path, method, body, method === "GET", request))).body;
		},
		close() {
			isClosed = true;
		},
	};
}

function headersOf(options: ConnectOptions, request: RequestOptions): Record<string, string> {
	const headers: Record<string, string> = { "content-type": "application/json", ...options.headers };
	const consistency = request.consistency ?? options.consistency;
	if (consistency !== undefined) headers["skein-consistency"] = consistency;
	const acknowledgement = request.acknowledgement ?? options.acknowledgement;
	if (acknowledgement !== undefined) headers["skein-ack"] = acknowledgement;
	if (typeof request.idempotencyKey === "string") headers["idempotency-key"] = request.idempotencyKey;
	return headers;
}

/**
 * Surely a read, by its first word. WITH may begin a write, and PRAGMA may set something: for those
 * an idempotency key costs little.
 */
function isRead(sql: string): boolean {
	return /^(?:\s|--[^\n]*\n|\/\*[^]*?\*\/)*(?:select|values|explain)\b/i.test(sql);
}
