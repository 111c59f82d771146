// Statements to the body of a pipeline request, and its answer back to results (libSQL's protocol, JSON).
import type { SkeinError } from "./errors.ts";
import { errorFromBody, protocolError } from "./request.ts";
import { type Arguments, decodeValue, encodeArguments, type IntegerMode, type Value } from "./values.ts";

export interface Result {
	readonly columns: readonly string[];
	/** As declared in the schema; null for expressions. */
	readonly columnTypes: readonly (string | null)[];
	readonly rows: readonly (readonly Value[])[];
	/** Rows changed by INSERT, UPDATE or DELETE. */
	readonly changes: number;
	/** After an INSERT, else null. */
	readonly lastInsertRowid: number | bigint | null;
	/** What the answer reflects, as `term.index`. */
	readonly session: string | null;
}

export interface StatementInput {
	readonly sql: string;
	readonly args?: Arguments | undefined;
}

export type PipelineRequest = { readonly type: string } & Readonly<Record<string, unknown>>;

export function executeRequest(statement: StatementInput): PipelineRequest {
	return { type: "execute", stmt: wireStatement(statement) };
}

function wireStatement({ sql, args }: StatementInput): object {
	return { sql, ...encodeArguments(args), want_rows: true };
}

/** One transaction: BEGIN, each statement if the one before succeeded, COMMIT or ROLLBACK. */
export function transactionRequest(statements: readonly StatementInput[], isRead: boolean): PipelineRequest {
	const ok = (step: number): object => ({ type: "ok", step });
	const control = (sql: string, condition: object | null): object => ({
		stmt: { sql, want_rows: false },
		...(condition === null ? {} : { condition }),
	});
	const commit = statements.length + 1;
	const steps = [
		control(isRead ? "BEGIN TRANSACTION READONLY" : "BEGIN IMMEDIATE", null),
		...statements.map((statement, index) => ({ stmt: wireStatement(statement), condition: ok(index) })),
		control("COMMIT", ok(commit - 1)),
		control("ROLLBACK", { type: "and", conds: [ok(0), { type: "not", cond: ok(commit) }] }),
	];
	return { type: "batch", batch: { steps } };
}

export interface PipelineAnswer {
	readonly baton: string | null;
	readonly baseUrl: string | null;
	/** As long as the requests. */
	readonly results: readonly (Readonly<Record<string, unknown>> | SkeinError)[];
}

export function decodePipeline(body: unknown, requests: number): PipelineAnswer {
	const answer = record(body, "the answer");
	const list = answer["results"];
	if (!Array.isArray(list) || list.length !== requests) {
		throw protocolError(`the answer must hold ${requests} results`);
	}
	const results = list.map((item: unknown) => {
		const result = record(item, "a result");
		return result["type"] === "ok"
			? record(result["response"], "a response")
			: errorFromBody(result["error"]);
	});
	const { baton, base_url: baseUrl } = answer;
	return {
		baton: typeof baton === "string" ? baton : null,
		baseUrl: typeof baseUrl === "string" ? baseUrl : null,
		results,
	};
}

export function decodeResult(value: unknown, session: string | null, integers: IntegerMode): Result {
	const result = record(value, "a statement's result");
	const columns = list(result["cols"], "cols").map((column) => record(column, "a column"));
	const rows = list(result["rows"], "rows").map((row) =>
		list(row, "a row").map((wire) => decodeValue(wire, integers)),
	);
	const rowid = result["last_insert_rowid"];
	return {
		columns: columns.map((column) => (typeof column["name"] === "string" ? column["name"] : "")),
		columnTypes: columns.map((column) =>
			typeof column["decltype"] === "string" ? column["decltype"] : null,
		),
		rows,
		changes: Number(result["affected_row_count"] ?? 0),
		lastInsertRowid: typeof rowid === "string" ? decodeRowid(rowid, integers) : null,
		session,
	};
}

function decodeRowid(digits: string, integers: IntegerMode): number | bigint {
	// "number" would throw for a write that happened.
	const value = decodeValue({ type: "integer", value: digits }, integers === "number" ? "auto" : integers);
	return typeof value === "bigint" ? value : Number(value);
}

/** The results of the statements between BEGIN and COMMIT, or the error that stopped them. */
export function decodeTransaction(
	value: unknown,
	statements: number,
	session: string | null,
	integers: IntegerMode,
): Result[] {
	const batch = record(value, "a batch's result");
	const errors = list(batch["step_errors"], "step_errors");
	// The first: that of ROLLBACK says something only where nothing else failed, since the whole did.
	const failure = errors.find((error) => error !== null && error !== undefined);
	if (failure !== undefined) throw errorFromBody(failure);
	return list(batch["step_results"], "step_results")
		.slice(1, statements + 1)
		.map((result) => decodeResult(result, session, integers));
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
	if (!isRecord(value)) throw protocolError(`${what} must be an object`);
	return value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown, what: string): readonly unknown[] {
	if (!Array.isArray(value)) throw protocolError(`${what} must be an array`);
	return value;
}
