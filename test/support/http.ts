/** What a client can ask of a node over HTTP, as plain functions: one request, one answer, no retries. */

export type JsonValue =
	| null
	| boolean
	| number
	| string
	| readonly JsonValue[]
	| { readonly [key: string]: JsonValue };

export interface SqlResult {
	readonly columns: readonly string[];
	readonly rows: readonly (readonly JsonValue[])[];
	readonly changes: number;
	readonly lastInsertRowid: number | string | null;
	readonly index: number;
}

export type Outcome = "happened" | "did-not-happen" | "unknown";

/** An error as the node told it, or (code NETWORK) that no answer came. */
export interface SqlFailure {
	readonly ok: false;
	readonly status: number;
	readonly code: string;
	readonly message: string;
	readonly outcome: Outcome;
	readonly extendedCode: string | null;
}

export interface SqlSuccess {
	readonly ok: true;
	readonly results: readonly SqlResult[];
	readonly session: string | null;
	/** How old what was read is, at most; null: the node did not say. */
	readonly stalenessMs: number | null;
	readonly node: string | null;
}

export type SqlAnswer = SqlSuccess | SqlFailure;

export interface RequestOptions {
	readonly timeoutMs?: number;
	readonly consistency?: "linearizable" | "session" | "eventual" | `bounded;max-staleness-ms=${number}`;
	/** The token that a session has from earlier answers. */
	readonly session?: string | null;
	readonly idempotencyKey?: string;
	readonly headers?: Readonly<Record<string, string>>;
}

export interface SqlStatement {
	readonly sql: string;
	readonly args?: readonly JsonValue[] | Readonly<Record<string, JsonValue>>;
}

export interface HttpAnswer {
	readonly status: number;
	readonly headers: Headers;
	readonly body: string;
}

function headersOf(options: RequestOptions): Record<string, string> {
	return {
		...(options.consistency === undefined ? {} : { "skein-consistency": options.consistency }),
		...(typeof options.session === "string" ? { "skein-session": options.session } : {}),
		...(options.idempotencyKey === undefined ? {} : { "idempotency-key": options.idempotencyKey }),
		...options.headers,
	};
}

export async function post(
	url: string,
	path: string,
	body: unknown,
	options: RequestOptions = {},
): Promise<HttpAnswer> {
	const response = await fetch(new URL(path, url), {
		method: "POST",
		headers: { "content-type": "application/json", ...headersOf(options) },
		body: typeof body === "string" ? body : JSON.stringify(body),
		signal: AbortSignal.timeout(options.timeoutMs ?? 15_000),
	});
	return { status: response.status, headers: response.headers, body: await response.text() };
}

export async function get(url: string, path: string, options: RequestOptions = {}): Promise<HttpAnswer> {
	const response = await fetch(new URL(path, url), {
		headers: headersOf(options),
		signal: AbortSignal.timeout(options.timeoutMs ?? 5_000),
	});
	return { status: response.status, headers: response.headers, body: await response.text() };
}

/** A request that was never taken by anybody did not happen; any other silence leaves it unknown. */
function networkFailure(error: unknown): SqlFailure {
	const cause = error instanceof Error ? error.cause : undefined;
	const reason = cause instanceof Error && "code" in cause ? String(cause.code) : String(error);
	return {
		ok: false,
		status: 0,
		code: "NETWORK",
		message: reason,
		outcome: reason === "ECONNREFUSED" ? "did-not-happen" : "unknown",
		extendedCode: null,
	};
}

function numberOf(header: string | null): number | null {
	return header === null ? null : Number(header);
}

/** POST /sql: one statement, or several as one transaction. */
export async function sql(
	url: string,
	statements: SqlStatement | readonly SqlStatement[],
	options: RequestOptions = {},
): Promise<SqlAnswer> {
	let answer: HttpAnswer;
	try {
		answer = await post(url, "/sql", statements, options);
	} catch (error) {
		return networkFailure(error);
	}
	const body = JSON.parse(answer.body);
	if (answer.status === 200) {
		return {
			ok: true,
			results: Array.isArray(body.results) ? body.results : [body],
			session: answer.headers.get("skein-session"),
			stalenessMs: numberOf(answer.headers.get("skein-staleness-ms")),
			node: answer.headers.get("skein-node"),
		};
	}
	if (typeof body.code !== "string" || typeof body.message !== "string") {
		throw new Error(`an error without code or message: ${answer.status} ${answer.body}`);
	}
	return {
		ok: false,
		status: answer.status,
		code: body.code,
		message: body.message,
		outcome: body.outcome ?? "did-not-happen",
		extendedCode: body.extendedCode ?? null,
	};
}

/** As `sql`, for when it must succeed: the result of the one statement. */
export async function run(
	url: string,
	text: string,
	args: readonly JsonValue[] = [],
	options: RequestOptions = {},
): Promise<SqlResult> {
	const answer = await sql(url, { sql: text, args }, options);
	if (!answer.ok) throw new Error(`${text.slice(0, 200)}: ${answer.code}: ${answer.message}`);
	const [result] = answer.results;
	if (result === undefined) throw new Error("an answer without a result");
	return result;
}

/** A value as the libSQL remote protocol writes it: its type is not lost. */
export type HranaValue = {
	readonly type: string;
	readonly value?: string | number;
	readonly base64?: string;
};

export interface HranaResult {
	readonly cols: readonly { readonly name: string | null }[];
	readonly rows: readonly (readonly HranaValue[])[];
	readonly affected_row_count: number;
	readonly last_insert_rowid: string | null;
}

export type PipelineResult =
	| { readonly type: "ok"; readonly response: { readonly type: string; readonly result?: HranaResult } }
	| { readonly type: "error"; readonly error: { readonly message: string; readonly code?: string } };

export interface PipelineAnswer {
	readonly baton: string | null;
	readonly base_url: string | null;
	readonly results: readonly PipelineResult[];
}

/** POST /v2/pipeline; throws when the answer is not 200. */
export async function pipeline(
	url: string,
	requests: readonly unknown[],
	options: RequestOptions & { readonly baton?: string | null } = {},
): Promise<PipelineAnswer> {
	const answer = await post(url, "/v2/pipeline", { baton: options.baton ?? null, requests }, options);
	if (answer.status !== 200) throw new Error(`pipeline: ${answer.status} ${answer.body}`);
	return JSON.parse(answer.body);
}

export const execute = (text: string): unknown => ({ type: "execute", stmt: { sql: text } });

export interface MemberView {
	readonly kind: string;
	readonly role: string | null;
	readonly url: string | null;
	readonly appliedIndex: number | null;
	readonly matchIndex: number | null;
	readonly lagEntries: number | null;
	readonly reachable: boolean;
	readonly lostTransactions: number | null;
	readonly wire: { readonly oldest: number; readonly newest: number } | null;
}

export interface DatabaseView {
	readonly term: number;
	readonly leader: string | null;
	readonly commitIndex: number;
	readonly format: string;
	readonly lostTransactions: number;
	readonly members: Readonly<Record<string, MemberView>>;
}

/** The state of the database `default` as one node sees it. */
export async function view(url: string, options: RequestOptions = {}): Promise<DatabaseView> {
	const answer = await get(url, "/cluster", { timeoutMs: 2_000, ...options });
	if (answer.status !== 200) throw new Error(`GET /cluster: ${answer.status} ${answer.body}`);
	const found = JSON.parse(answer.body).databases?.default;
	if (found === undefined) throw new Error(`GET /cluster shows no database "default": ${answer.body}`);
	return found;
}
