/** Binding: the client's arguments to SQLite's parameters (libSQL protocol §1.4). */
import type { SQLInputValue } from "node:sqlite";
import type { Statement, StatementFailure, Value } from "./program.ts";

export type Bound =
	| {
			readonly ok: true;
			readonly named: Record<string, SQLInputValue> | null;
			readonly anonymous: SQLInputValue[];
	  }
	| { readonly ok: false; readonly failure: StatementFailure };

/**
 * `parameters`: SQLite's, in the order of their numbers, null for those without a name. Positional
 * arguments bind by number whatever the parameter's name.
 */
export function bind(statement: Statement, parameters: readonly (string | null)[], lenient: boolean): Bound {
	const { arguments: positional, namedArguments: named } = statement;
	if (positional.length > 0 && named.length > 0) {
		return refuse("ARGS_BOTH_POSITIONAL_AND_NAMED", "give positional arguments or named ones, not both");
	}
	if (named.length > 0) return bindNamed(statement, parameters, lenient);
	if (positional.length !== parameters.length && !lenient) {
		return refuse(
			"ARGS_INVALID",
			`the statement has ${parameters.length} parameters, ${positional.length} arguments were given`,
		);
	}
	return collect(parameters, (position) => positional[position] ?? null);
}

/** All values of a statement whose arguments bind, by the number of their parameters. */
export function valuesByNumber(statement: Statement, parameters: readonly (string | null)[]): Value[] {
	const { arguments: positional, namedArguments: named } = statement;
	if (named.length === 0) return parameters.map((_, number) => positional[number] ?? null);
	const values: Value[] = parameters.map(() => null);
	for (const { name, value } of named) {
		const position = positionOf(name, parameters);
		if (position !== null) values[position] = value;
	}
	return values;
}

function bindNamed(statement: Statement, parameters: readonly (string | null)[], lenient: boolean): Bound {
	const values = new Map<number, Value>();
	for (const { name, value } of statement.namedArguments) {
		const position = positionOf(name, parameters);
		if (position === null) return refuse("ARGS_INVALID", `the statement has no parameter ${name}`);
		values.set(position, value);
	}
	const missing = parameters.findIndex((_, position) => !values.has(position));
	if (missing >= 0 && !lenient) {
		return refuse(
			"ARGS_INVALID",
			`there is no argument for the parameter ${parameters[missing] ?? `number ${missing + 1}`}`,
		);
	}
	return collect(parameters, (position) => values.get(position) ?? null);
}

/** With its sigil a name must match exactly; without, any sigil will do. */
function positionOf(name: string, parameters: readonly (string | null)[]): number | null {
	for (const candidate of [name, `:${name}`, `@${name}`, `$${name}`]) {
		const position = parameters.indexOf(candidate);
		if (position >= 0) return position;
	}
	const number = /^\?(\d+)$/.exec(name)?.[1];
	return number !== undefined && Number(number) <= parameters.length && Number(number) > 0
		? Number(number) - 1
		: null;
}

function collect(parameters: readonly (string | null)[], valueOf: (position: number) => Value): Bound {
	const anonymous: SQLInputValue[] = [];
	let named: Record<string, SQLInputValue> | null = null;
	for (const [position, name] of parameters.entries()) {
		const value = valueOf(position);
		// Node counts `?NNN` among those without a name.
		if (name === null || name.startsWith("?")) anonymous.push(value);
		else {
			named ??= {};
			named[name] = value;
		}
	}
	return { ok: true, named, anonymous };
}

function refuse(code: string, message: string): Bound {
	return { ok: false, failure: { code, message, extendedCode: undefined } };
}
