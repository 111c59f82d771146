/** One API on a free port over a memory service, and a plain way to talk to it. */
import { silentLogger } from "../../world/logger.ts";
import { createSystemClock } from "../../world/system-clock.ts";
import { createSystemRandom } from "../../world/system-random.ts";
import type { ApiLimits } from "../limits.ts";
import { type Api, createApi } from "../server.ts";
import { createMemoryService, type MemoryService } from "./memory-service.ts";

export interface TestApi extends AsyncDisposable {
	readonly api: Api;
	readonly service: MemoryService;
	readonly url: string;
	readonly port: number;
	post(path: string, body: unknown, headers?: Record<string, string>): Promise<TestAnswer>;
	/** The requests of one pipeline, on the stream of the baton. */
	pipeline(requests: readonly unknown[], baton?: string | null): Promise<TestAnswer>;
}

export interface TestAnswer {
	readonly status: number;
	readonly headers: Headers;
	readonly text: string;
	/** Parsed; typed loosely because the tests look into all shapes. */
	readonly body: Loose;
	/** Of a pipeline's answer. */
	readonly baton: string | null;
}

export interface Loose {
	readonly [key: string]: Loose;
}

export async function startTestApi(
	limits: Partial<ApiLimits> = {},
	options: { readonly advertisedUrl?: string } = {},
): Promise<TestApi> {
	const service = createMemoryService();
	const api = createApi({
		service,
		version: "1.2.3",
		advertisedUrl: options.advertisedUrl ?? null,
		limits: { drainMs: 50, ...limits },
		clock: createSystemClock(),
		random: createSystemRandom(),
		logger: silentLogger,
	});
	const { port } = await api.listen({ host: "127.0.0.1", port: 0 });
	const url = `http://127.0.0.1:${port}`;

	async function post(
		path: string,
		body: unknown,
		headers: Record<string, string> = {},
	): Promise<TestAnswer> {
		return answerOf(
			await fetch(url + path, {
				method: "POST",
				headers: { "content-type": "application/json", ...headers },
				body: typeof body === "string" ? body : JSON.stringify(body),
			}),
		);
	}

	return {
		api,
		service,
		url,
		port,
		post,
		pipeline: (requests, baton = null) => post("/v2/pipeline", { baton, requests }),
		[Symbol.asyncDispose]: () => api.close(),
	};
}

export async function answerOf(response: Response): Promise<TestAnswer> {
	const text = await response.text();
	const isJson = response.headers.get("content-type") === "application/json";
	const body: Record<string, unknown> = isJson ? JSON.parse(text) : {};
	const { baton } = body;
	return {
		status: response.status,
		headers: response.headers,
		text,
		body: body as Loose,
		baton: typeof baton === "string" ? baton : null,
	};
}
