/** Results of statements to the libSQL protocol's JSON, written by hand: JSON.stringify of many small objects is several times slower. */
import { SkeinError } from "../../../../client/src/errors.ts";
import type { Column, Description, ProgramOutcome, StatementResult } from "../../database/program.ts";
import { encodeError } from "../errors.ts";
import { encodeValue } from "./values.ts";

/** Either field is null; both are when the step was skipped. */
export interface EncodedStep {
	readonly result: string | null;
	readonly error: string | null;
}

export function encodeStep(outcome: ProgramOutcome, step: number): EncodedStep {
	const failure = outcome.errors[step] ?? null;
	if (failure !== null) return { result: null, error: encodeError(failure) };
	const result = outcome.results[step] ?? null;
	if (result === null) return { result: null, error: null };
	try {
		return { result: encodeResult(result), error: null };
	} catch (error) {
		if (!(error instanceof SkeinError)) throw error;
		return { result: null, error: encodeError(error) };
	}
}

function encodeResult(result: StatementResult): string {
	let rows = "";
	for (const row of result.rows) {
		let values = "";
		for (const value of row) values += values === "" ? encodeValue(value) : `,${encodeValue(value)}`;
		rows += rows === "" ? `[${values}]` : `,[${values}]`;
	}
	const rowid = result.lastInsertRowid === null ? "null" : `"${result.lastInsertRowid}"`;
	return `{"cols":${encodeColumns(result.columns)},"rows":[${rows}],"affected_row_count":${result.changes},"last_insert_rowid":${rowid}}`;
}

function encodeColumns(columns: readonly Column[]): string {
	let list = "";
	for (const { name, declaredType } of columns) {
		const declared = declaredType === null ? "null" : JSON.stringify(declaredType);
		list += `${list === "" ? "" : ","}{"name":${JSON.stringify(name)},"decltype":${declared}}`;
	}
	return `[${list}]`;
}

/** Of a statement without rows that changed nothing. */
export const emptyResult = '{"cols":[],"rows":[],"affected_row_count":0,"last_insert_rowid":null}';

export function encodeDescription(description: Description): string {
	const parameters = description.parameters.map(({ name }) => `{"name":${JSON.stringify(name)}}`).join(",");
	return `{"params":[${parameters}],"cols":${encodeColumns(description.columns)},"is_explain":${description.isExplain},"is_readonly":${description.isReadonly}}`;
}

export function okResult(type: string, fields: string): string {
	return `{"type":"ok","response":{"type":"${type}"${fields}}}`;
}

export function errorResult(error: string): string {
	return `{"type":"error","error":${error}}`;
}
