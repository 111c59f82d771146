// Which node to ask, and whether to ask again: until one answers or the time is over.
import { whyBlocked } from "./blocked-ports.ts";
import { SkeinError } from "./errors.ts";
import { type HttpAnswer, send } from "./request.ts";
import type { Session } from "./session.ts";

export interface RoutedRequest {
	readonly path: string;
	readonly method: "GET" | "POST";
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string | null;
	/** It carries the token of the client's session. */
	readonly isSession: boolean;
	/** In all, every try and every pause included. */
	readonly timeoutMs: number;
	/** How long to go on while no node can be reached at all. */
	readonly connectTimeoutMs: number;
	/** Carrying it out twice is the same as once: a read, or it has an idempotency key. */
	readonly isRepeatable: boolean;
	readonly signal: AbortSignal | undefined;
}

export interface Router {
	/** The node that answered last. */
	readonly url: string;
	request(request: RoutedRequest): Promise<HttpAnswer & { readonly url: string }>;
}

const firstPauseMs = 20;
const longestPauseMs = 500;

/** One try on one node, as part of the session if it asks for that; what it saw is noted in every case. */
export async function sendInSession(
	request: RoutedRequest,
	url: string,
	timeoutMs: number,
	session: Session,
): Promise<HttpAnswer> {
	const { token } = session;
	const headers =
		request.isSession && token !== null ? { ...request.headers, "skein-session": token } : request.headers;
	try {
		const answer = await send({ ...request, headers, url: new URL(request.path, url).href, timeoutMs });
		session.saw(answer.session);
		return answer;
	} catch (error) {
		if (error instanceof SkeinError) session.failed(token, error);
		throw error;
	}
}

export function createRouter(urls: readonly string[], session: Session): Router {
	const bases = urls.map((url) => (url.endsWith("/") ? url : `${url}/`));
	/** Told at once, though others might answer: the one would be missed on the day on which they do not. */
	const blocked = bases.map(whyBlocked).find((why) => why !== null);
	let current = 0;
	const base = (): string => {
		const url = bases[current % bases.length];
		if (url === undefined) throw new SkeinError("no URL was given", { code: "BAD_REQUEST" });
		return url;
	};
	return {
		get url() {
			return base();
		},
		async request(request) {
			if (blocked !== undefined) throw new SkeinError(blocked, { code: "BAD_REQUEST" });
			const startedAt = performance.now();
			const deadline = startedAt + request.timeoutMs;
			/** Moved to the end of all time by the first sign of life. */
			let connectDeadline = startedAt + request.connectTimeoutMs;
			let hasUnknownTry = false;
			let before: SkeinError | null = null;
			for (let tries = 1; ; tries++) {
				const url = base();
				const tried = current;
				try {
					const answer = await sendInSession(request, url, deadline - performance.now(), session);
					return { ...answer, url };
				} catch (error) {
					if (!(error instanceof SkeinError)) throw error;
					// What one try may have done, no later refusal takes back.
					hasUnknownTry ||= error.outcome === "unknown";
					if (error.code !== "UNREACHABLE") connectDeadline = Number.POSITIVE_INFINITY;
					const pause = pauseBefore(tries, bases.length);
					const resumesAt = performance.now() + pause;
					const isLate = resumesAt >= deadline || (tries >= bases.length && resumesAt >= connectDeadline);
					if (isLate || !mayRepeat(error, request.isRepeatable)) {
						throw withOutcome(explained(error, before), hasUnknownTry);
					}
					before = error;
					// Another request may have moved on already.
					if (current === tried) current = (tried + 1) % bases.length;
					await new Promise((resolve) => setTimeout(resolve, pause));
				}
			}
		},
	};
}

/** Each node once without a pause; then longer and longer, each client a little differently. */
function pauseBefore(tries: number, nodes: number): number {
	if (tries < nodes) return 0;
	const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(10, tries - nodes));
	return pause * (0.5 + Math.random() / 2);
}

/** Failures that another node, or the same a little later, may not have. */
const passing: ReadonlySet<string> = new Set([
	"UNREACHABLE",
	"CONNECTION_LOST",
	"NO_LEADER",
	"LEADERSHIP_LOST",
	"OVERLOADED",
	"TOO_STALE",
	"WITNESS",
]);

function mayRepeat(error: SkeinError, isRepeatable: boolean): boolean {
	if (!passing.has(error.code)) return false;
	return error.outcome === "did-not-happen" || isRepeatable;
}

/** The last try had what was left of the time: what the one before was told says more. */
function explained(error: SkeinError, before: SkeinError | null): SkeinError {
	if (error.code !== "TIMEOUT" || before?.code !== "NO_LEADER") return error;
	const { code, outcome } = error;
	return new SkeinError(`${error.message}; before that: ${before.message}`, { code, outcome, cause: error });
}

function withOutcome(error: SkeinError, hasUnknownTry: boolean): SkeinError {
	const isRoutingFailure = passing.has(error.code) || error.code === "TIMEOUT";
	if (!hasUnknownTry || !isRoutingFailure || error.outcome === "unknown") return error;
	return new SkeinError(error.message, { code: error.code, outcome: "unknown", cause: error });
}
