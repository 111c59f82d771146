// One HTTP request to one node, and what its failure says about whether the request was carried out.
import { type Outcome, SkeinError } from "./errors.ts";

export interface HttpRequest {
	readonly url: string;
	readonly method: "GET" | "POST";
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string | null;
	readonly timeoutMs: number;
	readonly signal: AbortSignal | undefined;
}

export interface HttpAnswer {
	readonly body: unknown;
	/** What the answer reflects, as `term.index`; null when the node did not say. */
	readonly session: string | null;
	readonly node: string | null;
}

/** A node that is silent for this long is asked whether it lives at all: a paused machine keeps its connections. */
const silenceMs = 2_000;
const probeTimeoutMs = 1_000;

export async function send(request: HttpRequest): Promise<HttpAnswer> {
	const stop = new AbortController();
	const watch = watchSilence(request, stop);
	const signals = [stop.signal, AbortSignal.timeout(Math.max(1, Math.ceil(request.timeoutMs)))];
	if (request.signal !== undefined) signals.push(request.signal);
	const signal = AbortSignal.any(signals);
	try {
		const response = await fetch(request.url, {
			method: request.method,
			headers: request.headers,
			body: request.body,
			signal,
		});
		const text = await response.text();
		const body = parseJson(text);
		if (!response.ok) throw refusal(response.status, body, text);
		if (body === undefined) throw protocolError(`${request.url} did not answer with JSON`);
		return {
			body,
			session: response.headers.get("skein-session"),
			node: response.headers.get("skein-node"),
		};
	} catch (error) {
		throw error instanceof SkeinError ? error : connectionFailure(error, request, stop.signal);
	} finally {
		clearInterval(watch);
	}
}

function watchSilence(request: HttpRequest, stop: AbortController): ReturnType<typeof setInterval> {
	return setInterval(() => {
		const health = new URL("/health", request.url);
		fetch(health, { signal: AbortSignal.timeout(probeTimeoutMs) })
			.then(
				// Any answer is a sign of life.
				(response) => response.body?.cancel(),
				() => stop.abort(),
			)
			.catch(() => {});
	}, silenceMs);
}

function connectionFailure(error: unknown, request: HttpRequest, silent: AbortSignal): SkeinError {
	const origin = new URL(request.url).origin;
	if (request.signal?.aborted === true) {
		return new SkeinError("the request was aborted", { code: "ABORTED", outcome: "unknown", cause: error });
	}
	if (silent.aborted) {
		return new SkeinError(`${origin} does not answer any more`, {
			code: "CONNECTION_LOST",
			outcome: "unknown",
			cause: error,
		});
	}
	if (error instanceof Error && error.name === "TimeoutError") {
		return new SkeinError(`no answer from ${origin} within ${Math.round(request.timeoutMs)} ms`, {
			code: "TIMEOUT",
			outcome: "unknown",
			cause: error,
		});
	}
	const code = connectionCode(error);
	if (code !== null && neverConnected.has(code)) {
		return new SkeinError(`cannot reach ${origin} (${code})`, { code: "UNREACHABLE", cause: error });
	}
	return new SkeinError(`the connection to ${origin} broke${code === null ? "" : ` (${code})`}`, {
		code: "CONNECTION_LOST",
		outcome: "unknown",
		cause: error,
	});
}

/** With these nothing was sent. A browser does not tell: there a failure is always "unknown". */
const neverConnected: ReadonlySet<string> = new Set([
	"ECONNREFUSED",
	"ENOTFOUND",
	"EAI_AGAIN",
	"EHOSTUNREACH",
	"ENETUNREACH",
	"EHOSTDOWN",
	"UND_ERR_CONNECT_TIMEOUT",
]);

function connectionCode(error: unknown): string | null {
	// Node's fetch wraps the socket's error, and two of them (IPv6, IPv4) in an AggregateError with the first's code.
	const cause = error instanceof Error ? (error.cause ?? error) : error;
	return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
		? cause.code
		: null;
}

/** An answer that is not 2xx, with the server's own words when it gave some. */
function refusal(status: number, body: unknown, text: string): SkeinError {
	if (typeof body === "object" && body !== null && "message" in body) return errorFromBody(body);
	const excerpt = text.slice(0, 200).trim();
	return new SkeinError(`HTTP status ${status}${excerpt === "" ? "" : `: ${excerpt}`}`, {
		code: "PROTOCOL_ERROR",
		outcome: "unknown",
	});
}

/** `{ message, code, outcome?, extendedCode? }`, of a whole request or of one statement. */
export function errorFromBody(body: unknown): SkeinError {
	if (typeof body !== "object" || body === null)
		return protocolError("the server sent an error without a message");
	const message = "message" in body ? String(body.message) : "unknown error";
	const code = "code" in body && typeof body.code === "string" ? body.code : "UNKNOWN";
	const extendedCode =
		"extendedCode" in body && typeof body.extendedCode === "string" ? body.extendedCode : undefined;
	const outcome: Outcome =
		"outcome" in body && (body.outcome === "unknown" || body.outcome === "happened")
			? body.outcome
			: "did-not-happen";
	return new SkeinError(message, { code, outcome, extendedCode });
}

export function protocolError(message: string): SkeinError {
	return new SkeinError(message, { code: "PROTOCOL_ERROR", outcome: "unknown" });
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
