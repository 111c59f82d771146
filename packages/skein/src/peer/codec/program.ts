/**
 * Programs, values and outcomes.
 *
 *   value     = 0 (null) | 1 i64 | 2 f64 | 3 string | 4 bytes
 *   statement = sql:string arguments:list<value> named:list<name:string value> wantRows:bool
 *   condition = 0 step:varint (ok) | 1 step:varint (error) | 2 condition (not) | 3 list<condition> (and)
 *             | 4 list<condition> (or) | 5 (is-autocommit)
 *   program   = steps:list<condition:option statement>
 *   result    = columns:list<name:string declaredType:option<string>> rows:list<list<value>>
 *               changes:varint lastInsertRowid:option<i64>
 *   failure   = message:string code:string extendedCode:option<string>
 *   outcome   = results:list<option<result>> errors:list<option<failure>> autocommit:bool foreignKeys:bool
 */
import type {
	Column,
	Condition,
	NamedArgument,
	Program,
	ProgramOutcome,
	Statement,
	StatementFailure,
	StatementResult,
	Step,
	Value,
} from "../../database/program.ts";
import { readString, writeString } from "./envelope.ts";
import type { Reader } from "./reader.ts";
import { malformed, WireError } from "./wire-error.ts";
import type { Writer } from "./writer.ts";

/** Conditions nest; deeper than any client writes, and far from the end of the stack. */
const maxConditionDepth = 100;

function writeValue(writer: Writer, value: Value): void {
	if (value === null) {
		writer.u8(0);
	} else if (typeof value === "bigint") {
		writer.u8(1);
		writer.i64(value);
	} else if (typeof value === "number") {
		writer.u8(2);
		writer.f64(value);
	} else if (typeof value === "string") {
		writer.u8(3);
		writer.string(value);
	} else {
		writer.u8(4);
		writer.bytes(value);
	}
}

function readValue(reader: Reader): Value {
	const type = reader.u8();
	switch (type) {
		case 0:
			return null;
		case 1:
			return reader.i64();
		case 2:
			return reader.f64();
		case 3:
			return reader.string();
		case 4:
			return reader.bytesCopy();
		default:
			throw malformed(`${type} is not a type of value`);
	}
}

function writeNamedArgument(writer: Writer, argument: NamedArgument): void {
	writer.string(argument.name);
	writeValue(writer, argument.value);
}

function readNamedArgument(reader: Reader): NamedArgument {
	return { name: reader.string(), value: readValue(reader) };
}

function writeStatement(writer: Writer, statement: Statement): void {
	writer.string(statement.sql);
	writer.list(statement.arguments, writeValue);
	writer.list(statement.namedArguments, writeNamedArgument);
	writer.bool(statement.wantRows);
}

function readStatement(reader: Reader): Statement {
	return {
		sql: reader.string(),
		arguments: reader.list(readValue),
		namedArguments: reader.list(readNamedArgument, 2),
		wantRows: reader.bool(),
	};
}

function writeCondition(writer: Writer, condition: Condition, depth: number): void {
	if (depth > maxConditionDepth) {
		throw new WireError("not-encodable", `a condition is nested deeper than ${maxConditionDepth}`);
	}
	switch (condition.type) {
		case "ok":
		case "error":
			writer.u8(condition.type === "ok" ? 0 : 1);
			writer.varint(condition.step);
			return;
		case "not":
			writer.u8(2);
			writeCondition(writer, condition.condition, depth + 1);
			return;
		case "and":
		case "or":
			writer.u8(condition.type === "and" ? 3 : 4);
			writer.list(condition.conditions, (_, inner) => writeCondition(writer, inner, depth + 1));
			return;
		case "is-autocommit":
			writer.u8(5);
			return;
		default: {
			const never: never = condition;
			throw new Error(`unknown condition ${JSON.stringify(never)}`);
		}
	}
}

function readCondition(reader: Reader, depth: number): Condition {
	if (depth > maxConditionDepth) throw malformed(`a condition is nested deeper than ${maxConditionDepth}`);
	const type = reader.u8();
	switch (type) {
		case 0:
			return { type: "ok", step: reader.varint() };
		case 1:
			return { type: "error", step: reader.varint() };
		case 2:
			return { type: "not", condition: readCondition(reader, depth + 1) };
		case 3:
			return { type: "and", conditions: reader.list(() => readCondition(reader, depth + 1)) };
		case 4:
			return { type: "or", conditions: reader.list(() => readCondition(reader, depth + 1)) };
		case 5:
			return { type: "is-autocommit" };
		default:
			throw malformed(`${type} is not a type of condition`);
	}
}

function writeStep(writer: Writer, step: Step): void {
	writer.option(step.condition, (_, condition) => writeCondition(writer, condition, 1));
	writeStatement(writer, step.statement);
}

function readStep(reader: Reader): Step {
	const condition = reader.option(() => readCondition(reader, 1));
	return { condition, statement: readStatement(reader) };
}

export function writeProgram(writer: Writer, program: Program): void {
	writer.list(program.steps, writeStep);
}

export function readProgram(reader: Reader): Program {
	return { steps: reader.list(readStep, 5) };
}

function writeColumn(writer: Writer, column: Column): void {
	writer.string(column.name);
	writer.option(column.declaredType, writeString);
}

function readColumn(reader: Reader): Column {
	return { name: reader.string(), declaredType: reader.option(readString) };
}

function writeRow(writer: Writer, row: readonly Value[]): void {
	writer.list(row, writeValue);
}

function readRow(reader: Reader): Value[] {
	return reader.list(readValue);
}

function writeResult(writer: Writer, result: StatementResult): void {
	writer.list(result.columns, writeColumn);
	writer.list(result.rows, writeRow);
	writer.varint(result.changes);
	writer.option(result.lastInsertRowid, (_, rowid) => writer.i64(rowid));
}

function readResult(reader: Reader): StatementResult {
	return {
		columns: reader.list(readColumn, 2),
		rows: reader.list(readRow),
		changes: reader.varint(),
		lastInsertRowid: reader.option(() => reader.i64()),
	};
}

function writeFailure(writer: Writer, failure: StatementFailure): void {
	writer.string(failure.message);
	writer.string(failure.code);
	writer.option(failure.extendedCode, writeString);
}

function readFailure(reader: Reader): StatementFailure {
	const message = reader.string();
	const code = reader.string();
	return { message, code, extendedCode: reader.option(readString) ?? undefined };
}

export function writeOutcome(writer: Writer, outcome: ProgramOutcome): void {
	writer.list(outcome.results, (_, result) => writer.option(result, writeResult));
	writer.list(outcome.errors, (_, error) => writer.option(error, writeFailure));
	writer.bool(outcome.autocommit);
	writer.bool(outcome.foreignKeys);
}

export function readOutcome(reader: Reader): ProgramOutcome {
	return {
		results: reader.list(() => reader.option(readResult)),
		errors: reader.list(() => reader.option(readFailure)),
		autocommit: reader.bool(),
		foreignKeys: reader.bool(),
	};
}
