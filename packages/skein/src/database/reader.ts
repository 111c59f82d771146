/** Reading connections of one thread: programs on the newest committed state, and transactions that hold one. */
import type { DatabaseSync } from "node:sqlite";
import type { Position } from "../consensus/types.ts";
import { type BeginGate, openGate } from "./begin-gate.ts";
import { explainLogging } from "./changes/explain.ts";
import { type Guard, guardConnection, openReading } from "./connection.ts";
import type { ReadOutcome } from "./database.ts";
import { type ClientTransaction, createExecutor, type Executor, noTransaction } from "./execute-program.ts";
import type { LogExplanation } from "./explanation.ts";
import type { LogFormat } from "./log-format.ts";
import { createFormatReader, createPositionReader, readState } from "./own-tables.ts";
import type { Description, Program, ProgramOutcome } from "./program.ts";
import type { DatabaseSettings } from "./settings.ts";
import { createStatementCache, type StatementCache } from "./statement-cache.ts";

export interface Reader {
	read(program: Program, timeoutMs: number): ReadOutcome;
	/** Opens a read transaction under a number of the caller's. */
	begin(number: number): Position;
	run(number: number, program: Program, timeoutMs: number): ProgramOutcome;
	end(number: number): void;
	/** As of the newest committed state; inside a transaction as of its own. */
	describe(sql: string, number: number | null): Description;
	/** As of the newest committed state. */
	format(): LogFormat;
	/** As of the newest committed state; null: in the database's own format. */
	explain(sql: string, format: LogFormat | null): LogExplanation;
	close(): void;
}

interface ReadSession {
	readonly connection: DatabaseSync;
	readonly guard: Guard;
	readonly cache: StatementCache;
	readonly executor: Executor;
	readonly transaction: ClientTransaction;
}

export function createReader(options: {
	path: string;
	settings: DatabaseSettings;
	now: () => number;
	/** Shared with the writer, where that is on another thread. */
	gate?: BeginGate;
}): Reader {
	const { path, settings, now, gate = openGate } = options;
	const { main, begin, end, positionOf, format } = gate.begin(() => {
		const opened = open();
		const { connection } = opened;
		return {
			main: opened,
			begin: connection.prepare("BEGIN"),
			end: connection.prepare("ROLLBACK"),
			positionOf: createPositionReader(connection),
			format: createFormatReader(connection),
		};
	});
	const transactions = new Map<number, ReadSession>();
	/** Connections of ended transactions, to be used again. */
	const idle: ReadSession[] = [];

	function open(): ReadSession {
		const connection = openReading(path);
		const guard = guardConnection(connection);
		const cache = createStatementCache(connection, guard);
		const executor = createExecutor({
			connection,
			cache,
			limits: settings,
			around: (_kind, _sql, run) => run(),
			setForeignKeys: null,
			deferredCheck: null,
			now,
		});
		return { connection, guard, cache, executor, transaction: noTransaction(true) };
	}

	function sessionOf(number: number): ReadSession {
		const session = transactions.get(number);
		if (session === undefined) throw new Error(`there is no read transaction ${number}`);
		return session;
	}

	function describe({ connection, cache }: ReadSession, sql: string): Description {
		// SQLite notices that another connection changed the schema only when a statement runs, and what it
		// prepared before keeps its columns until it runs itself: so one runs, and this is prepared anew.
		readState(connection);
		const prepared = cache.prepareAnew(sql);
		const { parsed } = prepared;
		if (parsed.problem !== null) throw new DescribeRefused(parsed.problem.message, parsed.problem.code);
		const isReadonly = parsed.kind === "read" || parsed.kind === "no-op";
		const parameters = parsed.parameters.map((name) => ({ name }));
		const { noOpAnswer } = parsed;
		if (parsed.kind === "no-op" || parsed.kind === "pragma-foreign-keys") {
			const columns = noOpAnswer === null ? [] : [{ name: noOpAnswer.column, declaredType: null }];
			return { parameters, columns, isExplain: false, isReadonly };
		}
		return { parameters, columns: prepared.columns(), isExplain: parsed.isExplain, isReadonly };
	}

	return {
		read(program, timeoutMs) {
			try {
				// The first look fixes the state that everything in the transaction sees.
				const applied = gate.begin(() => {
					begin.run();
					return positionOf();
				});
				const from = now();
				const outcome = main.executor.run(program, noTransaction(true), timeoutMs);
				return { outcome: { ...outcome, autocommit: true }, applied, ranMs: now() - from };
			} finally {
				if (main.connection.isTransaction) end.run();
			}
		},
		begin(number) {
			const session = idle.pop() ?? gate.begin(open);
			// The first read fixes the state that the transaction sees.
			const { applied } = gate.begin(() => {
				session.connection.exec("BEGIN");
				return readState(session.connection);
			});
			transactions.set(number, { ...session, transaction: noTransaction(true) });
			return applied;
		},
		run(number, program, timeoutMs) {
			const session = sessionOf(number);
			return session.executor.run(program, session.transaction, timeoutMs);
		},
		end(number) {
			const session = transactions.get(number);
			if (session === undefined) return;
			transactions.delete(number);
			if (session.connection.isTransaction) session.connection.exec("ROLLBACK");
			if (idle.length < 4) idle.push(session);
			else session.connection.close();
		},
		describe(sql, number) {
			if (number !== null) return describe(sessionOf(number), sql);
			const { connection } = main;
			gate.begin(() => {
				connection.exec("BEGIN");
				readState(connection);
			});
			try {
				return describe(main, sql);
			} finally {
				connection.exec("ROLLBACK");
			}
		},
		format: () => gate.begin(format),
		explain(sql, asked) {
			const { connection, guard } = main;
			// The first read fixes the state, and notices another schema.
			const own = gate.begin(() => {
				connection.exec("BEGIN");
				return format();
			});
			try {
				return explainLogging(connection, guard, asked ?? own, sql);
			} finally {
				connection.exec("ROLLBACK");
			}
		},
		close() {
			for (const session of [...transactions.values(), ...idle, main]) session.connection.close();
			transactions.clear();
		},
	};
}

/** A statement that cannot be described, with the code that its execution would fail with. */
export class DescribeRefused extends Error {
	readonly code: string;
	constructor(message: string, code: string) {
		super(message);
		this.code = code;
	}
}
