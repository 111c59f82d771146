/**
 * The few statements that simulated clients send. They are SQL, so that the real database runs the very
 * same programs (profile sqlite) and production code sees which of them read; the register machine knows
 * them by their text.
 */
import type { Program, ProgramOutcome, Statement } from "../../../skein/src/database/program.ts";
import type { Seen, Step, Value } from "../history/history.ts";

export const createRegisters =
	"CREATE TABLE IF NOT EXISTS registers (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID";
const read = "SELECT value FROM registers WHERE key = ?1";
const write = "INSERT INTO registers VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const remove = "DELETE FROM registers WHERE key = ?1";
const replace = "UPDATE registers SET value = ?3 WHERE key = ?1 AND value = ?2";
const replaceNothing = "INSERT INTO registers VALUES (?1, ?2) ON CONFLICT (key) DO NOTHING";
const removeIf = "DELETE FROM registers WHERE key = ?1 AND value = ?2";
const append =
	"INSERT INTO registers VALUES (?1, ?2 || ';') ON CONFLICT (key) DO UPDATE SET value = value || excluded.value";
/** Always fails: the column must not be null. */
const refuse = "INSERT INTO registers VALUES (?1, NULL)";

/** What a text does, for the register machine. */
export type Word =
	| "create"
	| "read"
	| "write"
	| "remove"
	| "replace"
	| "replace-nothing"
	| "remove-if"
	| "append"
	| "refuse"
	| "begin"
	| "commit"
	| "rollback";

export const words: ReadonlyMap<string, Word> = new Map([
	[createRegisters, "create"],
	[read, "read"],
	[write, "write"],
	[remove, "remove"],
	[replace, "replace"],
	[replaceNothing, "replace-nothing"],
	[removeIf, "remove-if"],
	[append, "append"],
	[refuse, "refuse"],
	["BEGIN", "begin"],
	["BEGIN IMMEDIATE", "begin"],
	["BEGIN TRANSACTION READONLY", "begin"],
	["COMMIT", "commit"],
	["ROLLBACK", "rollback"],
]);

export function statement(sql: string, ...values: readonly Value[]): Statement {
	return { sql, arguments: values, namedArguments: [], wantRows: true };
}

export function readStatement(key: string): Statement {
	return statement(read, key);
}

export function refusedStatement(key: string): Statement {
	return statement(refuse, key);
}

/** The one statement that carries out a step. */
export function statementOf(step: Step): Statement {
	switch (step.kind) {
		case "read":
			return readStatement(step.key);
		case "write":
			return step.value === null ? statement(remove, step.key) : statement(write, step.key, step.value);
		case "compare-and-set":
			if (step.value === null) return statement(removeIf, step.key, step.expected);
			if (step.expected === null) return statement(replaceNothing, step.key, step.value);
			return statement(replace, step.key, step.expected, step.value);
		case "append":
			return statement(append, step.key, step.value);
		default: {
			const never: never = step;
			throw new Error(String(never));
		}
	}
}

export function programOf(statements: readonly Statement[]): Program {
	return { steps: statements.map((one) => ({ condition: null, statement: one })) };
}

/** What a statement read of a register; undefined: it did not run. */
export function valueIn(outcome: ProgramOutcome, place: number): Seen {
	const result = outcome.results[place];
	if (result === undefined || result === null) return undefined;
	const [row] = result.rows;
	if (row === undefined) return null;
	const value = row[0];
	if (typeof value !== "string") throw new TypeError("a register holds a text");
	return value;
}
