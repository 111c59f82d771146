// A connection in SQLite's sense: requests that share one transaction, held together by the server's batons.
import { SkeinError } from "./errors.ts";
import {
	decodePipeline,
	decodeResult,
	executeRequest,
	type PipelineRequest,
	type Result,
} from "./pipeline.ts";
import { protocolError, send } from "./request.ts";
import type { RoutedRequest, Router } from "./routing.ts";
import type { Arguments, IntegerMode } from "./values.ts";

export interface Stream {
	/** Runs one statement. One at a time: a second call waits for the first. */
	execute(sql: string, args?: Arguments, options?: { readonly signal?: AbortSignal }): Promise<Result>;
	/** False while a transaction is open, as the server last said. */
	readonly isAutocommit: boolean;
	/** Rolls back what is open. Never throws. */
	close(): Promise<void>;
}

export interface StreamOptions {
	readonly router: Router;
	readonly integers: IntegerMode;
	readonly route: (body: unknown, signal: AbortSignal | undefined) => RoutedRequest;
}

export function openStream({ router, integers, route }: StreamOptions): Stream {
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
				: { ...(await send({ ...request, url: new URL(request.path, pinned.url).href })), url: pinned.url };
		const pipeline = decodePipeline(answer.body, requests.length);
		pinned = pipeline.baton === null ? null : { baton: pipeline.baton, url: pipeline.baseUrl ?? answer.url };
		return { results: pipeline.results, session: answer.session };
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
			// The server forgets a stream when a request of it fails as a whole: so does the transaction end here.
			pinned = null;
			isAutocommit = true;
			throw error;
		}
		const [result, autocommit] = answer.results;
		if (autocommit !== undefined && !(autocommit instanceof SkeinError)) {
			isAutocommit = autocommit["is_autocommit"] !== false;
		}
		if (result instanceof SkeinError) throw result;
		if (result === undefined) throw protocolError("no result");
		return decodeResult(result["result"], answer.session, integers);
	};

	return {
		execute(sql, args, options = {}) {
			const next = last.then(() => execute(sql, args, options.signal));
			last = next.catch(() => {});
			return next;
		},
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
