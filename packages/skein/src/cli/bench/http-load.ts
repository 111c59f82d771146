// A closed loop of HTTP/1.1 requests over raw sockets: ready-made bytes out, no more of the answer read than
// must be, so that what is measured is the server. Used by `skein bench` and by the measurements in bench/.
import { connect } from "node:net";
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

export interface HttpLoadOptions {
	readonly host: string;
	readonly port: number;
	/** Each has one request on its way at any time. */
	readonly connections: number;
	/** The bytes of the next request, made before the run where possible: see `httpRequest`. */
	readonly nextRequest: (connection: number) => Uint8Array;
	readonly durationMs: number;
	/** What a client does before each request. Its time does not count as the request's. */
	readonly beforeEach?: () => Promise<void>;
	/** Whether a 2xx answer is what was hoped for. Default: always. */
	readonly isGood?: (body: Buffer) => boolean;
}

export interface HttpLoadResult {
	/** Answers that were good; others, and broken connections, are `failed`. */
	readonly completed: number;
	readonly failed: number;
	/** The first failure's status line and body, or the socket's error. */
	readonly firstFailure: string | null;
	readonly seconds: number;
	readonly perSecond: number;
	readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

export interface HttpLoad {
	/** Good answers until now. */
	completed(): number;
	/** When the time is over and every request that was on its way has ended. */
	readonly result: Promise<HttpLoadResult>;
}

/** A whole request as bytes. */
export function httpRequest(options: {
	readonly method: string;
	readonly path: string;
	readonly host: string;
	readonly body: string;
	readonly headers?: Readonly<Record<string, string>>;
}): Buffer {
	const headers = {
		host: options.host,
		"content-type": "application/json",
		"content-length": String(Buffer.byteLength(options.body)),
		...options.headers,
	};
	const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
	return Buffer.from(`${options.method} ${options.path} HTTP/1.1\r\n${head.join("")}\r\n${options.body}`);
}

interface Tally {
	completed: number;
	failed: number;
	firstFailure: string | null;
	readonly latency: RecordableHistogram;
}

const reconnectPauseMs = 50;
/** A request that is older when the time is over is given up. */
const drainLimitMs = 5_000;

export function startHttpLoad(options: HttpLoadOptions): HttpLoad {
	const tally: Tally = { completed: 0, failed: 0, firstFailure: null, latency: createHistogram() };
	const startedAt = performance.now();
	const deadline = startedAt + options.durationMs;
	const run = async (): Promise<HttpLoadResult> => {
		const connections = Array.from({ length: options.connections }, (_, index) =>
			runConnection(options, index, deadline, tally),
		);
		await Promise.all(connections);
		const seconds = (performance.now() - startedAt) / 1_000;
		const percentile = (percent: number): number => tally.latency.percentile(percent) / 1_000;
		const hasAny = tally.completed > 0;
		return {
			completed: tally.completed,
			failed: tally.failed,
			firstFailure: tally.firstFailure,
			seconds,
			perSecond: tally.completed / seconds,
			latencyMs: {
				p50: hasAny ? percentile(50) : 0,
				p99: hasAny ? percentile(99) : 0,
				max: hasAny ? tally.latency.max / 1_000 : 0,
			},
		};
	};
	return { completed: () => tally.completed, result: run() };
}

/** Connects again after a broken connection, until the time is over. */
async function runConnection(
	options: HttpLoadOptions,
	index: number,
	deadline: number,
	tally: Tally,
): Promise<void> {
	while (performance.now() < deadline) {
		const failure = await runSocket(options, index, deadline, tally);
		if (failure === null) return;
		tally.failed++;
		tally.firstFailure ??= failure;
		await new Promise((resolve) => setTimeout(resolve, reconnectPauseMs));
	}
}

/** Null: ran until the deadline. Else why it ended before. */
function runSocket(
	options: HttpLoadOptions,
	index: number,
	deadline: number,
	tally: Tally,
): Promise<string | null> {
	return new Promise((resolve) => {
		const socket = connect({ host: options.host, port: options.port, noDelay: true });
		let sentAt = 0;
		let received: Buffer | null = null;
		const end = (failure: string | null): void => {
			clearTimeout(limit);
			socket.destroy();
			resolve(failure);
		};
		const limit = setTimeout(
			() => end("no answer in time"),
			Math.max(0, deadline - performance.now()) + drainLimitMs,
		);
		const send = (): void => {
			sentAt = performance.now();
			if (sentAt >= deadline) end(null);
			else socket.write(options.nextRequest(index));
		};
		const sendNext = (): void => {
			if (options.beforeEach === undefined) send();
			else options.beforeEach().then(send, (error: unknown) => end(String(error)));
		};
		socket.on("connect", sendNext);
		socket.on("error", (error) => end(error.message));
		socket.on("close", () => end("the server closed the connection"));
		socket.on("data", (chunk) => {
			received = received === null ? chunk : Buffer.concat([received, chunk]);
			const answer = readAnswer(received);
			if (answer === "incomplete") return;
			if (answer === "unreadable") {
				end(`an answer without a length: ${received.toString("latin1", 0, 200)}`);
				return;
			}
			const isGood = answer.isSuccess && (options.isGood?.(answer.body) ?? true);
			if (isGood) {
				tally.completed++;
				// Whole microseconds; the histogram takes nothing below 1.
				tally.latency.record(Math.max(1, Math.round((performance.now() - sentAt) * 1_000)));
			} else {
				tally.failed++;
				tally.firstFailure ??= received.toString("utf8", 0, 500);
			}
			received = null;
			if (answer.closes) end("the server closed the connection");
			else sendNext();
		});
	});
}

interface HttpAnswer {
	readonly isSuccess: boolean;
	readonly closes: boolean;
	readonly body: Buffer;
}

const headEnd = Buffer.from("\r\n\r\n");

/** One answer with a Content-Length, which every answer of Skein has. */
function readAnswer(bytes: Buffer): HttpAnswer | "incomplete" | "unreadable" {
	const end = bytes.indexOf(headEnd);
	if (end < 0) return "incomplete";
	const head = bytes.toString("latin1", 0, end);
	const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
	if (length === undefined) return "unreadable";
	const bodyStart = end + headEnd.length;
	const bodyEnd = bodyStart + Number(length);
	if (bytes.length < bodyEnd) return "incomplete";
	return {
		// "HTTP/1.1 200"
		isSuccess: head[9] === "2",
		closes: /\r\nconnection: *close/i.test(head),
		body: bytes.subarray(bodyStart, bodyEnd),
	};
}
