/** POST /sql, for curl: plain JSON values in and out; an array of statements is one transaction. */
import { SkeinError } from "../../../client/src/errors.ts";
import type { Position } from "../consensus/types.ts";
import type {
	NamedArgument,
	ProgramOutcome,
	Statement,
	StatementResult,
	Step,
	Value,
} from "../database/program.ts";
import { nextToken } from "../database/sql-tokens.ts";
import type { RequestOptions, Service } from "../node/service.ts";
import { laterOf } from "../node/session-token.ts";
import type { Reflected } from "./answer.ts";
import { badRequest } from "./errors.ts";
import {
	decodeBase64,
	decodeInteger,
	encodeBase64,
	isRecord,
	notFinite,
	notUnicode,
} from "./hrana/values.ts";
import type { ApiLimits } from "./limits.ts";
import { tokenOf } from "./request-options.ts";
import { createSqlBudget } from "./sql-budget.ts";

export interface SqlAnswer {
	readonly body: string;
	readonly reflected: Reflected;
}

export async function runSql(
	service: Service,
	limits: ApiLimits,
	body: unknown,
	options: RequestOptions,
): Promise<SqlAnswer> {
	const isArray = Array.isArray(body);
	const statements = isArray
		? body.map((each: unknown, index) => decodeStatement(each, `[${index}]`, limits))
		: [decodeStatement(body, "", limits)];
	const budget = createSqlBudget(limits);
	budget.takeStatements(statements.length);
	for (const { sql } of statements) budget.take(sql);
	const steps = isArray ? transaction(statements) : statements.map(alone);
	const stream = service.openStream();
	try {
		const answer = await stream.run({ steps }, options);
		const { outcome, position } = answer;
		if (!outcome.autocommit) {
			throw badRequest(
				"a transaction cannot stay open here: it was rolled back. Send an array of statements, which is one transaction",
			);
		}
		const first = isArray ? 1 : 0;
		checkOutcome(outcome, first, statements.length);
		const results = statements.map((_, index) =>
			encodeResult(outcome.results[first + index] ?? null, position),
		);
		const session = laterOf(tokenOf(options), position);
		return {
			body: isArray ? `{"results":[${results.join(",")}]}` : results.join(""),
			reflected: { ...answer, session },
		};
	} finally {
		await stream.close();
	}
}

function alone(statement: Statement): Step {
	return { condition: null, statement };
}

/** BEGIN, each statement if the one before succeeded, COMMIT, and ROLLBACK if that did not happen. */
function transaction(statements: readonly Statement[]): Step[] {
	const control = (sql: string): Statement => ({ sql, arguments: [], namedArguments: [], wantRows: false });
	const steps: Step[] = [alone(control("BEGIN"))];
	for (const [index, statement] of statements.entries()) {
		if (controlsTransaction(statement.sql)) {
			throw badRequest(
				`[${index}].sql begins or ends a transaction, but the array is one transaction already`,
			);
		}
		steps.push({ condition: { type: "ok", step: index }, statement });
	}
	const last = statements.length;
	steps.push({ condition: { type: "ok", step: last }, statement: control("COMMIT") });
	// Not in autocommit: the transaction is still open, because a statement or COMMIT itself failed.
	steps.push({
		condition: { type: "not", condition: { type: "is-autocommit" } },
		statement: control("ROLLBACK"),
	});
	return steps;
}

/** By its first words; ROLLBACK TO a savepoint is fine. */
function controlsTransaction(sql: string): boolean {
	const words: string[] = [];
	for (let token = nextToken(sql, 0); token !== null && words.length < 3; token = nextToken(sql, token.end)) {
		// Blank statements before it.
		if (words.length === 0 && token.text === ";") continue;
		if (token.type !== "word") break;
		words.push(token.text);
	}
	const [first = "", ...rest] = words;
	if (first !== "ROLLBACK") return first === "BEGIN" || first === "COMMIT" || first === "END";
	return (rest[0] === "TRANSACTION" ? rest[1] : rest[0]) !== "TO";
}

function checkOutcome(outcome: ProgramOutcome, first: number, count: number): void {
	const index = outcome.errors.findIndex((error) => error !== null);
	const failure = outcome.errors[index] ?? null;
	if (failure === null) return;
	const step = index - first;
	// In an array: which of its statements. BEGIN and COMMIT are not the client's.
	const where = first === 1 && step >= 0 && step < count ? `[${step}]: ` : "";
	throw new SkeinError(where + failure.message, { code: failure.code, extendedCode: failure.extendedCode });
}

function decodeStatement(value: unknown, path: string, limits: ApiLimits): Statement {
	const dot = path === "" ? "" : `${path}.`;
	const input = typeof value === "string" ? { sql: value } : value;
	if (!isRecord(input)) {
		throw badRequest(
			`${path === "" ? "the body" : path} must be {"sql": "…", "args": […]}, or an array of those`,
		);
	}
	for (const name of Object.keys(input)) {
		if (name !== "sql" && name !== "args")
			throw badRequest(`${dot}${name} is not known: only sql and args are`);
	}
	const { sql, args } = input;
	if (typeof sql !== "string") throw badRequest(`${dot}sql must be a string`);
	return { sql, ...decodeArguments(args, `${dot}args`, limits), wantRows: true };
}

function decodeArguments(
	args: unknown,
	path: string,
	{ maxArguments }: ApiLimits,
): { arguments: readonly Value[]; namedArguments: readonly NamedArgument[] } {
	if (args === undefined || args === null) return { arguments: [], namedArguments: [] };
	if (!Array.isArray(args) && !isRecord(args)) throw badRequest(`${path} must be an array or an object`);
	const count = Array.isArray(args) ? args.length : Object.keys(args).length;
	if (count > maxArguments) {
		throw badRequest(`${path} has ${count} arguments; a statement can have ${maxArguments}`);
	}
	const entries: [string, unknown][] = Object.entries(args);
	return Array.isArray(args)
		? {
				arguments: entries.map(([key, value]) => decodeArgument(value, `${path}[${key}]`)),
				namedArguments: [],
			}
		: {
				arguments: [],
				namedArguments: entries.map(([name, value]) => ({
					name,
					value: decodeArgument(value, `${path}.${name}`),
				})),
			};
}

function decodeArgument(value: unknown, path: string): Value {
	if (value === null) return null;
	if (typeof value === "string") {
		if (value.isWellFormed()) return value;
		throw badRequest(`${path} ${notUnicode}`);
	}
	if (typeof value === "boolean") return value ? 1n : 0n;
	if (typeof value === "number") return decodeNumber(value, path);
	if (isRecord(value) && "base64" in value) return decodeBase64(value["base64"], `${path}.base64`);
	if (isRecord(value) && "integer" in value) return decodeInteger(value["integer"], `${path}.integer`);
	throw badRequest(
		`${path} must be null, a number, a string, a boolean, {"base64": "…"} or {"integer": "…"}`,
	);
}

/** JSON does not tell 1 from 1.0, and who writes 1 means the integer. */
function decodeNumber(value: number, path: string): Value {
	if (!Number.isFinite(value)) throw badRequest(`${path} is too large for a REAL`);
	if (!Number.isInteger(value)) return value;
	if (Number.isSafeInteger(value)) return BigInt(value);
	// Within the range of INTEGER the digits were rounded when the JSON was read: not what was written.
	if (Math.abs(value) < 2 ** 63) {
		throw badRequest(`${path} is beyond 2^53, where JSON numbers lose digits: send {"integer": "…"}`);
	}
	return value;
}

function encodeResult(result: StatementResult | null, position: Position): string {
	if (result === null) throw new Error("a statement has neither result nor error");
	const columns = result.columns.map(({ name }) => JSON.stringify(name)).join(",");
	const rows = result.rows.map((row) => `[${row.map(encodeValue).join(",")}]`).join(",");
	const rowid = result.lastInsertRowid === null ? "null" : encodeInteger(result.lastInsertRowid);
	return `{"columns":[${columns}],"rows":[${rows}],"changes":${result.changes},"lastInsertRowid":${rowid},"index":${position.index}}`;
}

function encodeValue(value: Value): string {
	if (value === null) return "null";
	switch (typeof value) {
		case "bigint":
			return encodeInteger(value);
		case "number":
			if (!Number.isFinite(value)) throw notFinite(value);
			return String(value);
		case "string":
			return JSON.stringify(value);
		default:
			return `{"base64":"${encodeBase64(value)}"}`;
	}
}

function encodeInteger(value: bigint): string {
	const isSafe = value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;
	return isSafe ? `${value}` : `"${value}"`;
}
