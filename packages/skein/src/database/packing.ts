/**
 * Requests and answers on their way between threads, as tuples: the structured clone writes and looks
 * up the name of every property of every object, which costs more than the values of a small request.
 */
import type { ReadOutcome, WriteOutcome, WriteRequest } from "./database.ts";
import type {
	Column,
	Condition,
	NamedArgument,
	Program,
	ProgramOutcome,
	StatementFailure,
	StatementResult,
	Value,
} from "./program.ts";
import type { SettingChange } from "./setting-change.ts";
import type { TransactionNote } from "./transaction-note.ts";

type PackedStep = readonly [
	condition: Condition | null,
	sql: string,
	positional: readonly Value[],
	named: readonly NamedArgument[],
	wantRows: boolean,
];
export type PackedProgram = readonly PackedStep[];

/** Columns: name and declared type in turn. */
type PackedResult = readonly [
	columns: readonly (string | null)[],
	rows: StatementResult["rows"],
	changes: number,
	lastInsertRowid: bigint | null,
];
export type PackedOutcome = readonly [
	results: readonly (PackedResult | null)[],
	errors: readonly (StatementFailure | null)[],
	autocommit: boolean,
	foreignKeys: boolean,
];

export type PackedRequest = readonly [
	program: PackedProgram,
	foreignKeys: boolean,
	interactive: boolean,
	idempotencyKey: string | null,
	receivedAtMs: number,
	timeoutMs: number,
	note: TransactionNote | null,
	setting: SettingChange | null,
];
export type PackedWriteOutcome = readonly [
	outcome: PackedOutcome,
	payload: Uint8Array | null,
	replayed: boolean,
];

export function packProgram({ steps }: Program): PackedProgram {
	return steps.map(({ condition, statement }) => [
		condition,
		statement.sql,
		statement.arguments,
		statement.namedArguments,
		statement.wantRows,
	]);
}

export function unpackProgram(packed: PackedProgram): Program {
	return {
		steps: packed.map(([condition, sql, positional, named, wantRows]) => ({
			condition,
			statement: { sql, arguments: positional, namedArguments: named, wantRows },
		})),
	};
}

export function packOutcome({ results, errors, autocommit, foreignKeys }: ProgramOutcome): PackedOutcome {
	return [results.map((result) => result && packResult(result)), errors, autocommit, foreignKeys];
}

export function unpackOutcome([results, errors, autocommit, foreignKeys]: PackedOutcome): ProgramOutcome {
	return {
		results: results.map((result) => result && unpackResult(result)),
		errors,
		autocommit,
		foreignKeys,
	};
}

export type PackedRead = readonly [outcome: PackedOutcome, term: number, index: number, ranMs: number];

export function packRead({ outcome, applied, ranMs }: ReadOutcome): PackedRead {
	return [packOutcome(outcome), applied.term, applied.index, ranMs];
}

export function unpackRead([outcome, term, index, ranMs]: PackedRead): ReadOutcome {
	return { outcome: unpackOutcome(outcome), applied: { term, index }, ranMs };
}

function packResult({ columns, rows, changes, lastInsertRowid }: StatementResult): PackedResult {
	return [columns.flatMap(({ name, declaredType }) => [name, declaredType]), rows, changes, lastInsertRowid];
}

function unpackResult([columns, rows, changes, lastInsertRowid]: PackedResult): StatementResult {
	const unpacked: Column[] = [];
	for (let place = 0; place < columns.length; place += 2) {
		unpacked.push({ name: columns[place] ?? "", declaredType: columns[place + 1] ?? null });
	}
	return { columns: unpacked, rows, changes, lastInsertRowid };
}

export function packRequest(request: WriteRequest): PackedRequest {
	const { program, foreignKeys, interactive, idempotencyKey, receivedAtMs, timeoutMs, note } = request;
	return [
		packProgram(program),
		foreignKeys,
		interactive,
		idempotencyKey,
		receivedAtMs,
		timeoutMs,
		note,
		request.setting ?? null,
	];
}

export function unpackRequest(packed: PackedRequest): WriteRequest {
	const [program, foreignKeys, interactive, idempotencyKey, receivedAtMs, timeoutMs, note, setting] = packed;
	const request: WriteRequest = {
		program: unpackProgram(program),
		foreignKeys,
		interactive,
		idempotencyKey,
		receivedAtMs,
		timeoutMs,
		note,
	};
	return setting === null ? request : { ...request, setting };
}

export function packWriteOutcome({ outcome, payload, replayed }: WriteOutcome): PackedWriteOutcome {
	return [packOutcome(outcome), payload, replayed];
}

export function unpackWriteOutcome([outcome, payload, replayed]: PackedWriteOutcome): WriteOutcome {
	return { outcome: unpackOutcome(outcome), payload, replayed };
}
