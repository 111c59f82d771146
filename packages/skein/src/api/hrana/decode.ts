/**
 * A pipeline's body to typed requests. Checked by hand, since this is the hot path; a bad field is
 * named by its path. Fields that are not known are ignored, as the protocol demands.
 */
import type { Condition, NamedArgument, Value } from "../../database/program.ts";
import { badRequest } from "../errors.ts";
import { decodeValue, isRecord } from "./values.ts";

/** SQL as text, or the number under which the stream stored it. */
export type SqlSource = string | { readonly sqlId: number };

export interface WireStatement {
	readonly sql: SqlSource;
	readonly arguments: readonly Value[];
	readonly namedArguments: readonly NamedArgument[];
	readonly wantRows: boolean;
}

export interface WireStep {
	readonly condition: Condition | null;
	readonly statement: WireStatement;
}

export type StreamRequest =
	| { readonly type: "execute"; readonly statement: WireStatement }
	| { readonly type: "batch"; readonly steps: readonly WireStep[] }
	| { readonly type: "sequence"; readonly sql: SqlSource }
	| { readonly type: "describe"; readonly sql: SqlSource }
	| { readonly type: "store_sql"; readonly sqlId: number; readonly sql: string }
	| { readonly type: "close_sql"; readonly sqlId: number }
	| { readonly type: "get_autocommit" }
	| { readonly type: "close" };

export interface PipelineBody {
	readonly baton: string | null;
	readonly requests: readonly StreamRequest[];
}

/** Deeper conditions than any client makes; the bound keeps a hostile one off our stack. */
const maxConditionDepth = 100;

const none: readonly never[] = [];

export function decodePipeline(body: unknown, maxArguments: number): PipelineBody {
	if (!isRecord(body)) throw badRequest("the body must be a JSON object: {baton, requests}");
	const { baton, requests } = body;
	if (baton !== undefined && baton !== null && typeof baton !== "string") {
		throw badRequest("baton must be a string or null");
	}
	if (!Array.isArray(requests)) throw badRequest("requests must be an array");
	return {
		baton: baton ?? null,
		requests: requests.map((request, index) => decodeRequest(request, `requests[${index}]`, maxArguments)),
	};
}

function decodeRequest(request: unknown, path: string, maxArguments: number): StreamRequest {
	if (!isRecord(request)) throw badRequest(`${path} must be an object`);
	const type = request["type"];
	switch (type) {
		case "execute":
			return { type, statement: decodeStatement(request["stmt"], `${path}.stmt`, maxArguments) };
		case "batch":
			return { type, steps: decodeSteps(request["batch"], `${path}.batch`, maxArguments) };
		case "sequence":
		case "describe":
			return { type, sql: decodeSource(request, path) };
		case "store_sql": {
			const sql = request["sql"];
			if (typeof sql !== "string") throw badRequest(`${path}.sql must be a string`);
			return { type, sqlId: decodeSqlId(request["sql_id"], path), sql };
		}
		case "close_sql":
			return { type, sqlId: decodeSqlId(request["sql_id"], path) };
		case "get_autocommit":
		case "close":
			return { type };
		default:
			throw badRequest(
				`${path}.type must be execute, batch, sequence, describe, store_sql, close_sql, get_autocommit or close`,
			);
	}
}

function decodeSource(holder: Readonly<Record<string, unknown>>, path: string): SqlSource {
	const { sql, sql_id: sqlId } = holder;
	const hasSql = sql !== undefined && sql !== null;
	const hasId = sqlId !== undefined && sqlId !== null;
	if (hasSql === hasId) throw badRequest(`${path} must have exactly one of sql and sql_id`);
	if (hasId) return { sqlId: decodeSqlId(sqlId, path) };
	if (typeof sql !== "string") throw badRequest(`${path}.sql must be a string`);
	return sql;
}

function decodeSqlId(value: unknown, path: string): number {
	// `| 0` keeps exactly the 32-bit integers.
	if (typeof value === "number" && (value | 0) === value) return value;
	throw badRequest(`${path}.sql_id must be a 32-bit integer`);
}

function decodeStatement(statement: unknown, path: string, maxArguments: number): WireStatement {
	if (!isRecord(statement)) throw badRequest(`${path} must be an object`);
	const wantRows = statement["want_rows"] ?? true;
	if (typeof wantRows !== "boolean") throw badRequest(`${path}.want_rows must be true or false`);
	return {
		sql: decodeSource(statement, path),
		arguments: decodeArguments(statement["args"], `${path}.args`, maxArguments),
		namedArguments: decodeNamed(statement["named_args"], `${path}.named_args`, maxArguments),
		wantRows,
	};
}

function decodeArguments(list: unknown, path: string, maxArguments: number): readonly Value[] {
	if (list === undefined || list === null) return none;
	checkArguments(list, path, maxArguments);
	return list.length === 0 ? none : list.map((value, index) => decodeValue(value, path, index));
}

function decodeNamed(list: unknown, path: string, maxArguments: number): readonly NamedArgument[] {
	if (list === undefined || list === null) return none;
	checkArguments(list, path, maxArguments);
	if (list.length === 0) return none;
	return list.map((argument, index) => {
		if (!isRecord(argument)) throw badRequest(`${path}[${index}] must be an object`);
		const name = argument["name"];
		if (typeof name !== "string") throw badRequest(`${path}[${index}].name must be a string`);
		return { name, value: decodeValue(argument["value"], path, index) };
	});
}

function checkArguments(list: unknown, path: string, maxArguments: number): asserts list is unknown[] {
	if (!Array.isArray(list)) throw badRequest(`${path} must be an array`);
	if (list.length > maxArguments) {
		throw badRequest(`${path} has ${list.length} arguments; a statement can have ${maxArguments}`);
	}
}

function decodeSteps(batch: unknown, path: string, maxArguments: number): readonly WireStep[] {
	if (!isRecord(batch)) throw badRequest(`${path} must be an object`);
	const steps = batch["steps"];
	if (!Array.isArray(steps)) throw badRequest(`${path}.steps must be an array`);
	return steps.map((step: unknown, index) => {
		const stepPath = `${path}.steps[${index}]`;
		if (!isRecord(step)) throw badRequest(`${stepPath} must be an object`);
		return {
			condition: decodeCondition(step["condition"], `${stepPath}.condition`, index),
			statement: decodeStatement(step["stmt"], `${stepPath}.stmt`, maxArguments),
		};
	});
}

function decodeCondition(value: unknown, path: string, ownStep: number): Condition | null {
	return value === undefined || value === null ? null : decodeOneCondition(value, path, ownStep, 1);
}

function decodeOneCondition(value: unknown, path: string, ownStep: number, depth: number): Condition {
	if (depth > maxConditionDepth) throw badRequest(`${path} is nested deeper than ${maxConditionDepth}`);
	if (!isRecord(value)) throw badRequest(`${path} must be an object`);
	const type = value["type"];
	switch (type) {
		case "ok":
		case "error": {
			const step = value["step"];
			if (typeof step !== "number" || !Number.isInteger(step) || step < 0 || step >= ownStep) {
				throw badRequest(`${path}.step must be the number of a step before this one (${ownStep})`);
			}
			return { type, step };
		}
		case "not":
			return { type, condition: decodeOneCondition(value["cond"], `${path}.cond`, ownStep, depth + 1) };
		case "and":
		case "or": {
			const list = value["conds"];
			if (!Array.isArray(list)) throw badRequest(`${path}.conds must be an array`);
			const conditions = list.map((each: unknown, index) =>
				decodeOneCondition(each, `${path}.conds[${index}]`, ownStep, depth + 1),
			);
			return { type, conditions };
		}
		case "is_autocommit":
			return { type: "is-autocommit" };
		default:
			throw badRequest(`${path}.type must be ok, error, not, and, or, or is_autocommit`);
	}
}
