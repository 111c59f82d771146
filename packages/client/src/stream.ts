// A connection in SQLite's sense: requests that share one transaction, held together by the server's batons.
import { SkeinError } from "./errors.ts";
import {
	decodePipeline,
	decodeResult,
	executeRequest,
	type PipelineRequest,
	type Result,
} from "./pipeline.ts";
import { type HttpAnswer, protocolError, send } from "./request.ts";
import { type RoutedRequest, type Router, sendInSession } from "./routing.ts";
import type { Session } from "./session.ts";
import type { Arguments, IntegerMode } from "./values.ts";

export interface Stream {
	/** Runs one statement. One at a time: a second call waits for the first. */
	execute(sql: string, args?: Arguments, options?: { readonly signal?: AbortSignal }): Promise<Result>;
	/** False while a transaction is open, as the server last said. */
	readonly isAutocommit: boolean;
	/** Rolls back what is open. Never throws. */
	close(): Promise<void>;
}

/** Of `Client.transaction`. */
export interface TransactionStream extends Stream {
	/** As `execute`, but never outside of the transaction: if that ended with an error, nothing is sent. */
	executeInside(sql: string, args?: Arguments): Promise<Result>;
}

export interface StreamOptions {
	readonly router: Router;
	readonly session: Session;
	readonly integers: IntegerMode;
	readonly route: (body: unknown, signal: AbortSignal | undefined) => RoutedRequest;
}

const firstPauseMs = 20;
const longestPauseMs = 500;

export function openStream({ router, session, integers, route }: StreamOptions): TransactionStream {
	/** Where the transaction lives; null while there is none to lose. */
	let pinned: { readonly baton: string; readonly url: string } | null = null;
	let isAutocommit = true;
	let isClosed = false;
	let last: Promise<unknown> = Promise.resolve();

	const post = async (requests: readonly PipelineRequest[], signal?: AbortSignal) => {
		const request = route({ baton: pinned?.baton ?? null, requests }, signal);
		const answer =
			pinned === null
				? await router.request(request)
				: { ...(await sendPinned(request, pinned.url, session)), url: pinned.url };
		const pipeline = decodePipeline(answer.body, requests.length);
		pinned = pipeline.baton === null ? null : { baton: pipeline.baton, url: pipeline.baseUrl ?? answer.url };
		return { results: pipeline.results, session: answer.session };
	};

	/** For everybody who waits for the writer: else the server learns only from the silence that nobody comes. */
	const giveUp = (lost: { readonly baton: string; readonly url: string }): void => {
		const request = route({ baton: lost.baton, requests: [{ type: "close" }] }, undefined);
		send({ ...request, url: new URL(request.path, lost.url).href }).catch(() => {});
	};

	const execute = async (
		sql: string,
		args: Arguments | undefined,
		signal: AbortSignal | undefined,
	): Promise<Result> => {
		if (isClosed) throw new SkeinError("the stream is closed", { code: "CLOSED" });
		let answer: Awaited<ReturnType<typeof post>>;
		try {
			answer = await post([executeRequest({ sql, args }), { type: "get_autocommit" }], signal);
		} catch (error) {
			// Nobody has the next baton of a stream whose request failed as a whole: so its transaction ends here.
			const lost = pinned;
			const wasOpen = !isAutocommit;
			pinned = null;
			isAutocommit = true;
			if (!wasOpen) throw error;
			if (lost !== null) giveUp(lost);
			throw withTransactionEnd(error);
		}
		const [result, autocommit] = answer.results;
		if (autocommit !== undefined && !(autocommit instanceof SkeinError)) {
			isAutocommit = autocommit["is_autocommit"] !== false;
		}
		if (result instanceof SkeinError) throw result;
		if (result === undefined) throw protocolError("no result");
		return decodeResult(result["result"], answer.session, integers);
	};

	const inTurn = (work: () => Promise<Result>): Promise<Result> => {
		const next = last.then(work);
		last = next.catch(() => {});
		return next;
	};

	return {
		execute: (sql, args, options = {}) => inTurn(() => execute(sql, args, options.signal)),
		executeInside: (sql, args) =>
			inTurn(() => {
				if (isAutocommit) throw transactionOver();
				return execute(sql, args, undefined);
			}),
		get isAutocommit() {
			return isAutocommit;
		},
		async close() {
			await last;
			isClosed = true;
			if (pinned === null) return;
			// If this is lost too, the server closes the stream when it has been idle.
			await post([{ type: "close" }]).catch(() => {});
			pinned = null;
		},
	};
}

/** A node that refuses all requests for now has not looked at the baton: the same may be sent again. */
async function sendPinned(request: RoutedRequest, url: string, session: Session): Promise<HttpAnswer> {
	const deadline = performance.now() + request.timeoutMs;
	for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
		try {
			const timeoutMs = deadline - performance.now();
			return await sendInSession(request, url, timeoutMs, session);
		} catch (error) {
			const isPassing = error instanceof SkeinError && error.code === "OVERLOADED";
			const isOver = performance.now() + pauseMs >= deadline || request.signal?.aborted === true;
			if (!isPassing || error.outcome !== "did-not-happen" || isOver) throw error;
			await new Promise((resolve) => setTimeout(resolve, pauseMs));
		}
	}
}

function withTransactionEnd(error: unknown): unknown {
	if (!(error instanceof SkeinError)) return error;
	const { message, code, extendedCode, outcome } = error;
	const end =
		outcome === "did-not-happen"
			? "the open transaction is rolled back, nothing of it happened: begin it again"
			: "the open transaction is over";
	return new SkeinError(`${message}; ${end}`, { code, extendedCode, outcome, cause: error });
}

function transactionOver(): SkeinError {
	return new SkeinError(
		"the transaction is over, by an earlier error or statement of it: this one was not run outside of it",
		{ code: "CLOSED" },
	);
}
