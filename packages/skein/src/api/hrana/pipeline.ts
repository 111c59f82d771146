/** POST …/pipeline: the requests of one body on one stream, in order, and the answer with the next baton. */

import type { ServerResponse } from "node:http";
import { SkeinError } from "../../../../client/src/errors.ts";
import type { Statement, Step } from "../../database/program.ts";
import { splitStatements } from "../../database/sql.ts";
import type { RequestOptions } from "../../node/service.ts";
import { laterOf } from "../../node/session-token.ts";
import { weakerOf } from "../../node/weaker-acknowledgement.ts";
import type { Clock } from "../../world/clock.ts";
import type { Reflected } from "../answer.ts";
import { badRequest, encodeError, viewOf } from "../errors.ts";
import type { ApiLimits } from "../limits.ts";
import { tokenOf } from "../request-options.ts";
import { checkText, createSqlBudget, type SqlBudget } from "../sql-budget.ts";
import {
	decodePipeline,
	type SqlSource,
	type StreamRequest,
	type WireStatement,
	type WireStep,
} from "./decode.ts";
import { afterEnd, ends, outsideOfTransaction } from "./ended-transaction.ts";
import { addBatch, addExecute, addSequence, emptyFold, type Fold, unfold } from "./fold.ts";
import { emptyResult, encodeDescription, errorResult, okResult } from "./results.ts";
import type { OpenStream, Streams } from "./streams.ts";

export interface PipelineContext {
	readonly streams: Streams;
	readonly clock: Clock;
	readonly limits: ApiLimits;
	/** Where this stream's next requests must go, as a JSON value. */
	readonly baseUrlJson: string;
	readonly reportUnexpected: (error: unknown) => void;
}

export interface PipelineAnswer {
	readonly body: string;
	readonly reflected: Reflected;
}

/** One pipeline under way. */
interface Run {
	readonly context: PipelineContext;
	readonly open: OpenStream;
	readonly options: RequestOptions;
	readonly deadline: number;
	readonly response: ServerResponse;
	readonly results: string[];
	fold: Fold;
	readonly budget: SqlBudget;
	programs: number;
	/** Characters of the results so far. */
	answerLength: number;
	reflected: Reflected;
	closed: boolean;
}

export async function runPipeline(
	context: PipelineContext,
	body: unknown,
	options: RequestOptions,
	response: ServerResponse,
): Promise<PipelineAnswer> {
	const { baton, requests } = decodePipeline(body, context.limits.maxArguments);
	const { streams } = context;
	const open = baton === null ? streams.open() : streams.take(baton);
	const run: Run = {
		context,
		open,
		options,
		deadline: context.clock.now() + options.timeoutMs,
		response,
		results: [],
		fold: emptyFold(),
		budget: createSqlBudget(context.limits),
		programs: 0,
		answerLength: 0,
		reflected: {
			position: null,
			session: tokenOf(options),
			stalenessMs: null,
			inSync: null,
			replayed: false,
			acknowledgement: null,
		},
		closed: false,
	};
	try {
		for (const [slot, request] of requests.entries()) await handle(run, request, slot);
		await flush(run);
	} catch (error) {
		// Never left without an owner: nobody has its baton.
		await streams.close(open);
		throw error;
	}
	const nextBaton = await release(run);
	const baseUrl = nextBaton === null ? "null" : context.baseUrlJson;
	return {
		body: `{"baton":${nextBaton === null ? "null" : `"${nextBaton}"`},"base_url":${baseUrl},"results":[${run.results.join(",")}]}`,
		reflected: run.reflected,
	};
}

/**
 * Keeps the stream only if it would be missed: idle clients then never meet STREAM_EXPIRED. A
 * client that is gone will never learn its baton, so what it holds is rolled back at once.
 */
async function release({ context, open, closed, response }: Run): Promise<string | null> {
	const isDisposable = open.stream.disposable && open.storedSql.size === 0 && open.transactionEnd === null;
	if (!closed && !isDisposable && !isGone(response)) return context.streams.keep(open);
	await context.streams.close(open);
	return null;
}

function isGone(response: ServerResponse): boolean {
	return response.destroyed || response.socket?.destroyed === true;
}

/** Never throws for what concerns one request only: the others run all the same. */
async function handle(run: Run, request: StreamRequest, slot: number): Promise<void> {
	// A program that is being gathered has its slots already; the array must not have holes.
	run.results[slot] = "";
	try {
		if (run.closed) throw new SkeinError("the stream is closed", { code: "STREAM_NOT_OPEN" });
		if (!answeredAfterEnd(run, request, slot)) await perform(run, request, slot);
	} catch (error) {
		run.results[slot] = failed(run, error);
	}
}

async function perform(run: Run, request: StreamRequest, slot: number): Promise<void> {
	const { open, fold, results } = run;
	switch (request.type) {
		case "execute":
			return addExecute(fold, slot, resolveStatement(run, request.statement));
		case "batch": {
			const steps = request.steps.map(
				({ condition, statement }): Step => ({
					condition,
					statement: resolveStatement(run, statement),
				}),
			);
			return addBatch(fold, slot, steps);
		}
		case "sequence":
			return addSequence(fold, slot, statementsOf(run, request.sql));
		case "describe": {
			const sql = resolveSql(run, request.sql);
			await flush(run);
			const description = await open.stream.describe(sql, nextOptions(run));
			results[slot] = okResult("describe", `,"result":${encodeDescription(description)}`);
			return;
		}
		case "store_sql":
			storeSql(run, request.sqlId, request.sql);
			results[slot] = okResult("store_sql", "");
			return;
		case "close_sql":
			open.storedSql.delete(request.sqlId);
			results[slot] = okResult("close_sql", "");
			return;
		case "get_autocommit":
			await flush(run);
			results[slot] = okResult(
				"get_autocommit",
				`,"is_autocommit":${open.stream.autocommit && open.transactionEnd === null}`,
			);
			return;
		case "close":
			await flush(run);
			run.closed = true;
			results[slot] = okResult("close", "");
			return;
		default: {
			const never: never = request;
			return never;
		}
	}
}

/** True: the request is answered. Throws what it is answered with. */
function answeredAfterEnd({ open, results }: Run, request: StreamRequest, slot: number): boolean {
	const { transactionEnd } = open;
	if (transactionEnd === null) return false;
	const source = firstStatement(request);
	if (source === null) return false;
	const sql = typeof source === "string" ? source : storedSql(open, source.sqlId);
	const what = afterEnd(sql);
	if (what !== "inside") open.transactionEnd = null;
	if (what === "begins") return false;
	if (what !== "acknowledged") throw outsideOfTransaction(transactionEnd);
	results[slot] = okResult(request.type, request.type === "execute" ? `,"result":${emptyResult}` : "");
	return true;
}

/** Null: the request runs none. */
function firstStatement(request: StreamRequest): SqlSource | null {
	switch (request.type) {
		case "execute":
			return request.statement.sql;
		case "sequence":
			return request.sql;
		case "batch":
			// One that only ends it is sent by nobody, and would need results for all of its steps.
			return request.steps.length === 0 ? null : firstOf(request.steps);
		default:
			return null;
	}
}

function firstOf([first]: readonly WireStep[]): SqlSource {
	if (first === undefined) return "";
	const { sql } = first.statement;
	return typeof sql === "string" && afterEnd(sql) !== "begins" ? "" : sql;
}

function resolveStatement(run: Run, statement: WireStatement): Statement {
	const sql = resolveSql(run, statement.sql);
	run.budget.takeStatements(1);
	// The fields are the same but for `sql`: no copy in the common case.
	if (sql === statement.sql) return statement as WireStatement & { readonly sql: string };
	return { ...statement, sql };
}

function statementsOf(run: Run, source: SqlSource): string[] {
	const statements = splitStatements(resolveSql(run, source));
	run.budget.takeStatements(statements.length);
	return statements;
}

function resolveSql({ open, budget }: Run, source: SqlSource): string {
	const sql = typeof source === "string" ? source : storedSql(open, source.sqlId);
	budget.take(sql);
	return sql;
}

function storedSql(open: OpenStream, sqlId: number): string {
	const sql = open.storedSql.get(sqlId);
	if (sql === undefined) throw badRequest(`no SQL text is stored as sql_id ${sqlId} on this stream`);
	return sql;
}

function storeSql({ open, context }: Run, sqlId: number, sql: string): void {
	const { maxStoredTexts, maxStoredTextLength } = context.limits;
	if (open.storedSql.has(sqlId)) throw badRequest(`sql_id ${sqlId} is in use on this stream`);
	if (sql.length > maxStoredTextLength) {
		throw new SkeinError(
			`a stored SQL text can have ${maxStoredTextLength} characters, this has ${sql.length}`,
			{
				code: "SQL_STORE_TOO_LARGE",
			},
		);
	}
	if (open.storedSql.size >= maxStoredTexts) {
		throw new SkeinError(`a stream can store ${maxStoredTexts} SQL texts`, { code: "SQL_STORE_TOO_MANY" });
	}
	checkText(sql);
	open.storedSql.set(sqlId, sql);
}

/** Runs what was gathered. Its failure as a whole is each gathered request's failure, and thrown to nobody. */
async function flush(run: Run): Promise<void> {
	const { fold } = run;
	if (fold.parts.length === 0) return;
	run.fold = emptyFold();
	try {
		if (fold.steps.length === 0) {
			unfold(fold, { results: [], errors: [], autocommit: true, foreignKeys: true }, run.results);
			return;
		}
		fold.wasOpen = !run.open.stream.autocommit;
		const program = { steps: fold.steps };
		const answer = await run.open.stream.run(program, nextOptions(run));
		const { outcome, position, stalenessMs, inSync, replayed } = answer;
		run.reflected = {
			position,
			// Of all programs of the body: a later one may have read less, at a weaker level.
			session: laterOf(run.reflected.session, position),
			stalenessMs,
			// Of all of them, or of none.
			inSync: run.reflected.inSync === false ? false : inSync,
			replayed: run.reflected.replayed || replayed,
			acknowledgement: weakerOf(run.reflected.acknowledgement, answer.acknowledgement),
		};
		unfold(fold, outcome, run.results);
		for (const { slot } of fold.parts) run.answerLength += run.results[slot]?.length ?? 0;
	} catch (error) {
		const isOver = fold.wasOpen && run.open.stream.autocommit && !ends(fold.steps);
		if (isOver && error instanceof SkeinError) run.open.transactionEnd = error;
		const text = failed(run, error);
		for (const { slot } of fold.parts) run.results[slot] = text;
	}
}

/** What is left of the request's time, and a key of its own for each program: two share no stored outcome. */
function nextOptions(run: Run): RequestOptions {
	const { options, context } = run;
	if (isGone(run.response)) throw new SkeinError("the client is gone", { code: "STREAM_NOT_OPEN" });
	const ordinal = run.programs++;
	if (ordinal === 0) return options;
	const timeoutMs = run.deadline - context.clock.now();
	if (timeoutMs <= 0) {
		throw new SkeinError(`the requests before took the whole ${options.timeoutMs} ms`, { code: "TIMEOUT" });
	}
	if (run.answerLength > context.limits.maxAnswerLength) {
		throw new SkeinError(
			"the results of the requests before fill the whole answer: send this in a body of its own",
			{
				code: "PAYLOAD_TOO_LARGE",
			},
		);
	}
	// A client's own key is printable, so it cannot collide with these.
	const idempotencyKey = options.idempotencyKey === null ? null : `${options.idempotencyKey}\n${ordinal}`;
	const { consistency, acknowledgement } = options;
	return { consistency, idempotencyKey, acknowledgement, timeoutMs };
}

function failed(run: Run, error: unknown): string {
	if (!(error instanceof SkeinError)) run.context.reportUnexpected(error);
	return errorResult(encodeError(viewOf(error)));
}
