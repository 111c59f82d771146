/**
 * Runs a program on a connection. The connection's own transaction belongs to somebody else (on the
 * writer to the whole group of requests, on a reader to the snapshot), so a client's BEGIN is a
 * savepoint inside it, COMMIT releases that, ROLLBACK goes back to it. To the client it looks as
 * SQLite does: the same states, the same errors.
 */
import type { DatabaseSync } from "node:sqlite";
import { bind } from "./arguments.ts";
import { CannotReplicate, type ClientStatement } from "./changes/format.ts";
import { type DeferredCheck, DeferredViolation } from "./deferred-check.ts";
import type { ParsedStatement, StatementKind } from "./parsed-statement.ts";
import type {
	Condition,
	Program,
	ProgramOutcome,
	Statement,
	StatementFailure,
	StatementResult,
	Value,
} from "./program.ts";
import { resultsTooLarge, sizeOfColumns, sizeOfFailure, sizeOfRow } from "./result-size.ts";
import { failureOf, mayEndTransaction } from "./sqlite-failure.ts";
import type { Prepared, StatementCache } from "./statement-cache.ts";

/** The client's transaction on this connection, kept between the programs of an interactive one. */
export interface ClientTransaction {
	open: boolean;
	/** A SAVEPOINT outside a transaction opened it: releasing the outermost ends it. */
	bySavepoint: boolean;
	savepoints: string[];
	foreignKeys: boolean;
	/** They were set, and count only from the next request on: SQLite changes them outside a transaction only. */
	foreignKeysLater: boolean;
}

export function noTransaction(foreignKeys: boolean): ClientTransaction {
	return { open: false, bySavepoint: false, savepoints: [], foreignKeys, foreignKeysLater: false };
}

export interface ExecutorLimits {
	/** Of one statement. */
	readonly maxResultRows: number;
	/** Of all statements of one program together: its answer is one message between nodes. */
	readonly maxResultBytes: number;
}

export interface ExecutorOptions {
	readonly connection: DatabaseSync;
	readonly cache: StatementCache;
	readonly limits: ExecutorLimits;
	/** Around everything that may change the database: the capture on the writer. `client`: of what has arguments. */
	readonly around: <T>(kind: StatementKind, sql: string, run: () => T, client?: ClientStatement) => T;
	/**
	 * False: it will hold from the next request on. Called outside the client's transaction only. Null:
	 * the pragma is not available here (readers).
	 */
	readonly setForeignKeys: ((on: boolean) => boolean) | null;
	/** Null: nothing can be violated here (readers). */
	readonly deferredCheck: DeferredCheck | null;
	readonly now: () => number;
}

/** SQLite rolled the connection's whole transaction back; whatever runs in it must begin again. */
export class TransactionEnded extends Error {
	/** Of the error that SQLite did it for, such as DISK_FULL. */
	readonly code: string;
	constructor(failure: StatementFailure, cause: unknown) {
		super(failure.message, { cause });
		this.code = failure.code;
	}
}

const clientSavepoint = "skein_client";
const statementSavepoint = "skein_statement";

export interface Executor {
	run(program: Program, transaction: ClientTransaction, timeoutMs: number): ProgramOutcome;
	/** Rolls back what the client left open, as SQLite does when a connection is closed; what was before stays. */
	abandon(transaction: ClientTransaction): void;
}

class Refused extends Error {
	readonly failure: StatementFailure;
	constructor(failure: StatementFailure) {
		super(failure.message);
		this.failure = failure;
	}
}

function refuse(code: string, message: string): never {
	throw new Refused({ code, message, extendedCode: undefined });
}

export function createExecutor(options: ExecutorOptions): Executor {
	const { connection, cache, limits, around } = options;
	const counters = connection.prepare("SELECT changes(), last_insert_rowid()");
	counters.setReturnArrays(true);
	counters.setReadBigInts(true);
	/** What the results of the program that runs may still weigh. */
	let leftBytes = 0;

	function run(program: Program, transaction: ClientTransaction, timeoutMs: number): ProgramOutcome {
		const results: (StatementResult | null)[] = [];
		const errors: (StatementFailure | null)[] = [];
		const deadline = options.now() + timeoutMs;
		leftBytes = limits.maxResultBytes;
		for (const step of program.steps) {
			const wanted = step.condition === null || holds(step.condition, results, errors, transaction);
			let result: StatementResult | null = null;
			let failure: StatementFailure | null = null;
			if (wanted) {
				try {
					if (options.now() > deadline) refuse("TIMEOUT", "the statement before it took too long");
					result = execute(step.statement, transaction, deadline);
				} catch (error) {
					failure = error instanceof Refused ? error.failure : failureOf(error);
					if (error instanceof CannotReplicate) failure = { ...failure, code: "UNSUPPORTED_SQL" };
					if (mayEndTransaction(error) && !connection.isTransaction)
						throw new TransactionEnded(failure, error);
					leftBytes -= sizeOfFailure(failure);
					if (leftBytes < 0) failure = resultsTooLarge(limits.maxResultBytes);
				}
			}
			results.push(result);
			errors.push(failure);
		}
		return { results, errors, autocommit: !transaction.open, foreignKeys: transaction.foreignKeys };
	}

	function execute(statement: Statement, transaction: ClientTransaction, deadline: number): StatementResult {
		const prepared = cache.get(statement.sql);
		const { parsed } = prepared;
		if (parsed.problem !== null) refuse(parsed.problem.code, parsed.problem.message);
		// Transaction control is not run as it stands; its grammar is still SQLite's to judge.
		if (controlKinds.has(parsed.kind)) prepared.statement();
		switch (parsed.kind) {
			case "begin":
				if (transaction.open) refuse("SQLITE_ERROR", "cannot start a transaction within a transaction");
				around("begin", statement.sql, () => connection.exec(`SAVEPOINT ${clientSavepoint}`));
				transaction.open = true;
				return nothing;
			case "commit":
				if (!transaction.open) refuse("SQLITE_ERROR", "cannot commit - no transaction is active");
				commit(statement.sql, transaction);
				return nothing;
			case "rollback":
				if (!transaction.open) refuse("SQLITE_ERROR", "cannot rollback - no transaction is active");
				rollback(statement.sql, transaction);
				return nothing;
			case "savepoint":
			case "release":
			case "rollback-to":
				savepoint(parsed, statement.sql, transaction);
				return nothing;
			case "pragma-foreign-keys":
				if (parsed.defers) {
					options.deferredCheck?.setDeferred(parsed.foreignKeys);
					return nothing;
				}
				// Inside a transaction SQLite ignores it.
				if (transaction.open) return nothing;
				if (options.setForeignKeys === null)
					refuse("SQLITE_READONLY", "foreign keys are of no concern to a reader");
				transaction.foreignKeysLater = !options.setForeignKeys(parsed.foreignKeys);
				transaction.foreignKeys = parsed.foreignKeys;
				return nothing;
			case "no-op":
				return parsed.noOpAnswer === null ? nothing : answer(parsed.noOpAnswer);
			case "read":
				return collect(prepared, statement, deadline);
			case "write":
			case "schema":
			case "pragma-write":
				return change(prepared, statement, transaction, deadline);
			default: {
				const never: never = parsed.kind;
				throw new Error(String(never));
			}
		}
	}

	function change(
		prepared: Prepared,
		statement: Statement,
		transaction: ClientTransaction,
		deadline: number,
	): StatementResult {
		const { kind, isDml } = prepared.parsed;
		if (kind === "write" && transaction.foreignKeys && transaction.foreignKeysLater) {
			refuse(
				"UNSUPPORTED_SQL",
				"PRAGMA foreign_keys was turned on after a change in the same request, and holds from the next request on: send what follows as a request of its own.",
			);
		}
		const checked = !transaction.open && options.deferredCheck?.needed() === true;
		const run = (): StatementResult => {
			const done = collect(prepared, statement, deadline);
			if (checked) options.deferredCheck?.check("statement");
			return done;
		};
		// These can fail when SQLite has already done its part: they are taken back as a whole.
		const undoable = checked || (isDml && prepared.returnsRows());
		const result = around(kind, statement.sql, undoable ? () => undoOnFailure(run) : run, {
			statement,
			parameters: prepared.parsed.parameters,
			sight: prepared.sight,
		});
		if (kind === "schema") cache.clear();
		if (!transaction.open) options.deferredCheck?.transactionEnded();
		return result;
	}

	function undoOnFailure<T>(run: () => T): T {
		connection.exec(`SAVEPOINT ${statementSavepoint}`);
		try {
			const result = run();
			connection.exec(`RELEASE ${statementSavepoint}`);
			return result;
		} catch (error) {
			if (connection.isTransaction) {
				// OR FAIL keeps the rows before the one that failed; the commit after it is checked as any.
				if (error instanceof Refused || error instanceof DeferredViolation || violates())
					connection.exec(`ROLLBACK TO ${statementSavepoint}`);
				connection.exec(`RELEASE ${statementSavepoint}`);
			}
			throw error;
		}
	}

	function violates(): boolean {
		try {
			options.deferredCheck?.check("statement");
			return false;
		} catch (error) {
			if (error instanceof DeferredViolation) return true;
			throw error;
		}
	}

	function commit(sql: string, transaction: ClientTransaction): void {
		options.deferredCheck?.check("transaction");
		around("commit", sql, () => connection.exec(`RELEASE ${clientSavepoint}`));
		options.deferredCheck?.transactionEnded();
		end(transaction);
	}

	function rollback(sql: string, transaction: ClientTransaction): void {
		around("rollback", sql, () =>
			connection.exec(`ROLLBACK TO ${clientSavepoint}; RELEASE ${clientSavepoint}`),
		);
		cache.clear();
		options.deferredCheck?.schemaChanged();
		options.deferredCheck?.transactionEnded();
		end(transaction);
	}

	function savepoint(parsed: ParsedStatement, sql: string, transaction: ClientTransaction): void {
		const name = parsed.savepoint ?? "";
		if (parsed.kind === "savepoint") {
			if (!transaction.open) {
				around("begin", "BEGIN", () => connection.exec(`SAVEPOINT ${clientSavepoint}`));
				transaction.open = true;
				transaction.bySavepoint = true;
			}
			around("savepoint", sql, () => connection.exec(sql));
			transaction.savepoints.push(name);
			return;
		}
		const position = transaction.savepoints.lastIndexOf(name);
		if (position < 0) refuse("SQLITE_ERROR", `no such savepoint: ${name}`);
		if (parsed.kind === "rollback-to") {
			around("rollback-to", sql, () => connection.exec(sql));
			cache.clear();
			options.deferredCheck?.schemaChanged();
			transaction.savepoints.length = position + 1;
			return;
		}
		if (position === 0 && transaction.bySavepoint) return commit("COMMIT", transaction);
		around("release", sql, () => connection.exec(sql));
		transaction.savepoints.length = position;
	}

	function collect(prepared: Prepared, statement: Statement, deadline: number): StatementResult {
		const { parsed } = prepared;
		const bound = bind(statement, parsed.parameters, parsed.isExplain);
		if (!bound.ok) throw new Refused(bound.failure);
		const { named, anonymous } = bound;
		if (!prepared.returnsRows()) {
			const done =
				named === null
					? prepared.statement().run(...anonymous)
					: prepared.statement().run(named, ...anonymous);
			return {
				columns: [],
				rows: [],
				changes: parsed.isDml ? Number(done.changes) : 0,
				lastInsertRowid: parsed.isInsert ? BigInt(done.lastInsertRowid) : null,
			};
		}
		const iterator =
			named === null
				? prepared.statement().iterate(...anonymous)
				: prepared.statement().iterate(named, ...anonymous);
		const rows = takeRows(iterator, statement.wantRows, deadline);
		// After the first step: by then SQLite has prepared the statement anew if the schema had changed.
		const columns = prepared.columns();
		leftBytes -= sizeOfColumns(columns);
		if (leftBytes < 0) throw new Refused(resultsTooLarge(limits.maxResultBytes));
		const result = { columns, rows, changes: 0, lastInsertRowid: null };
		return parsed.isDml ? { ...result, ...countersAfter(parsed) } : result;
	}

	function takeRows(iterator: Iterator<unknown>, wantRows: boolean, deadline: number): Value[][] {
		const rows: Value[][] = [];
		const step = (): IteratorResult<unknown> => nextOf(iterator);
		for (let next = step(), count = 1; next.done !== true; next = step(), count++) {
			if ((count & 1023) === 0 && options.now() > deadline)
				stop(iterator, "TIMEOUT", "the statement took too long");
			if (!wantRows) continue;
			// With `setReturnArrays` a row is an array of SQLite's values.
			const row = next.value as Value[];
			leftBytes -= sizeOfRow(row);
			if (count > limits.maxResultRows) {
				stop(
					iterator,
					"PAYLOAD_TOO_LARGE",
					`the result has more than ${limits.maxResultRows} rows: ask for fewer, with LIMIT`,
				);
			}
			if (leftBytes < 0) {
				const { code, message } = resultsTooLarge(limits.maxResultBytes);
				stop(iterator, code, message);
			}
			rows.push(row);
		}
		return rows;
	}

	function countersAfter(parsed: ParsedStatement): Pick<StatementResult, "changes" | "lastInsertRowid"> {
		const [changes, rowid] = counters.get() as unknown as [bigint, bigint];
		return { changes: Number(changes), lastInsertRowid: parsed.isInsert ? rowid : null };
	}

	return {
		run,
		abandon(transaction) {
			if (transaction.open) rollback("ROLLBACK", transaction);
		},
	};
}

const controlKinds: ReadonlySet<StatementKind> = new Set([
	"begin",
	"commit",
	"rollback",
	"savepoint",
	"release",
	"rollback-to",
]);

/**
 * A statement that failed must be reset before it is used again: its next use begins with a reset, which tells of the
 * failure before it once more, and node:sqlite takes that for one of the new use.
 */
function nextOf(iterator: Iterator<unknown>): IteratorResult<unknown> {
	try {
		return iterator.next();
	} catch (error) {
		iterator.return?.();
		throw error;
	}
}

function stop(iterator: Iterator<unknown>, code: string, message: string): never {
	iterator.return?.();
	return refuse(code, message);
}

const nothing: StatementResult = { columns: [], rows: [], changes: 0, lastInsertRowid: null };

function answer({ column, value }: NonNullable<ParsedStatement["noOpAnswer"]>): StatementResult {
	const sqlValue: Value = typeof value === "number" ? BigInt(value) : value;
	return { ...nothing, columns: [{ name: column, declaredType: null }], rows: [[sqlValue]] };
}

function end(transaction: ClientTransaction): void {
	transaction.open = false;
	transaction.bySavepoint = false;
	transaction.savepoints = [];
}

function holds(
	condition: Condition,
	results: readonly (StatementResult | null)[],
	errors: readonly (StatementFailure | null)[],
	transaction: ClientTransaction,
): boolean {
	const test = (inner: Condition): boolean => holds(inner, results, errors, transaction);
	switch (condition.type) {
		case "ok":
			return (results[condition.step] ?? null) !== null;
		case "error":
			return (errors[condition.step] ?? null) !== null;
		case "not":
			return !test(condition.condition);
		case "and":
			return condition.conditions.every(test);
		case "or":
			return condition.conditions.some(test);
		case "is-autocommit":
			return !transaction.open;
	}
}
