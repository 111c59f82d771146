/**
 * The writing connection: executes clients' requests inside one open transaction for a leader, and
 * applies the log's entries for everybody else. Synchronous and without threads; writer-thread.ts
 * puts it on one. The states are those of database.ts: idle, executing, applying.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Position } from "../consensus/types.ts";
import { CannotReplicate, type Capture } from "./changes/format.ts";
import type { LogFormats } from "./changes/formats.ts";
import { guardConnection, openWriting } from "./connection.ts";
import { type ControlStatements, createControlStatements } from "./control-statements.ts";
import type { AppliedEntry, DatabaseState, WriteOutcome, WriteRequest } from "./database.ts";
import { createDeferredCheck } from "./deferred-check.ts";
import { runsOf } from "./entry-runs.ts";
import { type ClientTransaction, createExecutor, type Executor, noTransaction } from "./execute-program.ts";
import { createIdempotency, type Idempotency } from "./idempotency.ts";
import type { LogFormat } from "./log-format.ts";
import {
	createFormatReader,
	createStateWriter,
	ownSchema,
	readState,
	type StateWriter,
} from "./own-tables.ts";
import type { StatementKind } from "./parsed-statement.ts";
import type { Program, ProgramOutcome } from "./program.ts";
import {
	DatabaseTooLarge,
	failedWhole,
	keyTaken,
	TablesNotReplicable,
	tookTooLong,
	tooLarge,
} from "./refused-write.ts";
import { encodeSettingChange, readSettingChange, type SettingChange } from "./setting-change.ts";
import type { DatabaseSettings } from "./settings.ts";
import { createStatementCache } from "./statement-cache.ts";
import type { TransactionNote } from "./transaction-note.ts";

export interface Writer {
	readonly state: DatabaseState;
	execute(requests: readonly WriteRequest[], behind?: boolean): WriteOutcome[];
	rollbackGroup(): void;
	abandonInteractive(): void;
	commit(applied: Position, configuration?: DatabaseState["configuration"]): void;
	rollback(): void;
	apply(entries: readonly AppliedEntry[]): void;
	/** What the file holds; not inside a transaction. */
	applied(): Position;
	/** The log format that `execute` will capture in. */
	prepareToLead(): LogFormat;
	/** The open connection, for a checkpoint. */
	connection(): DatabaseSync;
	close(): void;
}

const requestSavepoint = "skein_request";
/** Around a group that executes behind others, until the next one begins or the transaction ends. */
const groupSavepoint = "skein_group";

/**
 * A request whose transaction stays open is answered before anything of it is replicated. The caller
 * cuts programs so that this never happens; if it does, better no transaction than a false answer.
 */
const changedBeforeBegin =
	"a transaction that stays open cannot begin behind a change of the same request: send what is before BEGIN as a request of its own";

/** Everything that hangs on one open connection. */
interface Session {
	readonly connection: DatabaseSync;
	readonly mode: "leading" | "applying";
	readonly control: ControlStatements;
	readonly executor: Executor;
	readonly idempotency: Idempotency;
	readonly stateWriter: StateWriter;
	/** What the open transaction, or the newest state, says the log format is. */
	readonly format: () => LogFormat;
	readonly kindOf: (sql: string) => StatementKind;
	/** After a rollback: what is known of the schema may have been rolled back too. */
	readonly rolledBack: () => void;
	/** A request ended: what it set for its own transaction ends with it. */
	readonly requestEnded: () => void;
	capture: Capture | null;
	foreignKeys: boolean;
	/** The request has run something that may have changed the database. */
	changed: boolean;
	/** The request may leave its transaction open. */
	mayStayOpen: boolean;
	/** How many requests share the open transaction. */
	groupSize: number;
}

export function createWriter(options: {
	path: string;
	formats: LogFormats;
	settings: DatabaseSettings;
	now: () => number;
}): Writer {
	const { path, formats, settings, now } = options;
	const first = openWriting(path);
	refuseForeignFile(first, path);
	formats.wal.takeBackUnfinished(first);
	first.exec(ownSchema);
	const state = readState(first);
	let session = begin(first, "applying");
	/** Of the one interactive request that is open. */
	let interactive: ClientTransaction | null = null;
	/** What `rollbackGroup` takes back: the whole transaction, or what came behind others in it. Null: nothing. */
	let lastGroup: "whole" | "behind" | null = null;

	function begin(connection: DatabaseSync, mode: Session["mode"]): Session {
		const guard = guardConnection(connection);
		const cache = createStatementCache(connection, guard, mode === "leading");
		if (mode === "leading") formats.prepareToCapture(connection, guard);
		else formats.prepareToApply(connection);
		const deferredCheck = createDeferredCheck(connection);
		const made: Session = {
			connection,
			mode,
			control: createControlStatements(connection, requestSavepoint),
			executor: createExecutor({
				connection,
				cache,
				limits: settings,
				around: (kind, sql, run, client) => {
					const changes = changingKinds.has(kind);
					if (kind === "schema") deferredCheck.schemaChanged();
					if (changes) made.changed = true;
					if (kind === "begin" && made.changed && made.mayStayOpen) throw new Error(changedBeforeBegin);
					if (made.capture === null) throw new Error("a statement outside a request");
					return made.capture.statement(kind, sql, run, client ?? null);
				},
				setForeignKeys: (on) => setForeignKeysInRequest(made, on),
				deferredCheck,
				now,
			}),
			idempotency: createIdempotency(connection, settings),
			stateWriter: createStateWriter(connection),
			format: createFormatReader(connection),
			kindOf: (sql) => cache.get(sql).parsed.kind,
			rolledBack: () => {
				cache.clear();
				deferredCheck.schemaChanged();
			},
			requestEnded: () => deferredCheck.transactionEnded(),
			capture: null,
			foreignKeys: true,
			changed: false,
			mayStayOpen: false,
			groupSize: 0,
		};
		return made;
	}

	function setForeignKeys(current: Session, on: boolean): void {
		if (current.foreignKeys === on) return;
		if (current.connection.isTransaction) throw new Error("foreign keys cannot change inside a transaction");
		current.connection.exec(`PRAGMA foreign_keys = ${on ? "ON" : "OFF"}`);
		current.foreignKeys = on;
	}

	/**
	 * SQLite ignores the pragma inside a transaction. The request runs alone: before its first change
	 * the transaction is begun anew around the pragma; after it, the pragma counts from the stream's
	 * next request on (a migration's last statement sets it back).
	 */
	function setForeignKeysInRequest(current: Session, on: boolean): boolean {
		if (current.foreignKeys === on) return true;
		if (current.changed) return false;
		if (current.groupSize !== 1 || lastGroup === "behind")
			throw new Error("a request that sets foreign keys is not alone in its group");
		const { connection, control } = current;
		current.capture?.discard();
		connection.exec("ROLLBACK");
		setForeignKeys(current, on);
		control.begin();
		current.capture = formats.beginCapture(connection, current.format());
		current.capture.beginRequest(false);
		control.savepoint();
		return true;
	}

	function reopen(mode: Session["mode"]): void {
		if (session.connection.isTransaction) throw new Error("the writing connection is in a transaction");
		session.connection.close();
		session = begin(openWriting(path), mode);
	}

	/** A request that failed and changed nothing may be tried again under its key. */
	function mayHaveChanged(program: Program, outcome: ProgramOutcome): boolean {
		if (outcome.errors.every((error) => error === null)) return true;
		return program.steps.some(
			(step, place) =>
				((outcome.results[place] ?? null) !== null &&
					changingKinds.has(session.kindOf(step.statement.sql))) ||
				// OR FAIL keeps the rows before the one that failed.
				((outcome.errors[place] ?? null) !== null && /\bFAIL\b/i.test(step.statement.sql)),
		);
	}

	function execute(requests: readonly WriteRequest[], behind = false): WriteOutcome[] {
		if (session.mode !== "leading") throw new Error("execute before prepareToLead");
		const setting = requests.find((request) => request.setting !== undefined)?.setting;
		if (setting !== undefined) return [changeSetting(setting, requests.length)];
		if (formats.wal.isWaiting)
			throw new Error("what was executed before is neither committed nor rolled back");
		if (behind) beginBehind(requests);
		else lastGroup = "whole";
		if (requests.every(({ note }) => note === null)) return executeTogether(requests);
		if (requests.length > 1 && session.format() === "wal")
			throw new Error(
				"in the log format wal a request that may be answered early is alone in its transaction",
			);
		session.groupSize = requests.length;
		return requests.map((request) => {
			const outcome = executeOne(request, true);
			if (interactive !== null) return outcome;
			const payload = finishCapture(request.note);
			return payload !== null && isTooLarge(payload)
				? refuseTooLarge(outcome, payload)
				: { ...outcome, payload };
		});
	}

	/** SQLite would ignore what changes between transactions only, and a client's own cannot wait for others' commit. */
	function beginBehind(requests: readonly WriteRequest[]): void {
		const { connection } = session;
		if (!connection.isTransaction) throw new Error("there is nothing to execute behind");
		if (interactive !== null || requests.some((request) => request.interactive || !request.foreignKeys))
			throw new Error("a request that must be alone in its transaction cannot run behind others");
		if (lastGroup === "behind") connection.exec(`RELEASE ${groupSavepoint}`);
		connection.exec(`SAVEPOINT ${groupSavepoint}`);
		lastGroup = "behind";
	}

	/** One capture for the whole group: what it costs, it costs once. The payload comes with the last outcome. */
	function executeTogether(requests: readonly WriteRequest[]): WriteOutcome[] {
		const outcomes = executeGroup(requests, false);
		if (interactive !== null) return outcomes;
		const payload = finishCapture(null);
		if (payload === null) return outcomes;
		if (!isTooLarge(payload)) return withPayload(outcomes, payload);
		// Of pages nobody knows whose they are.
		if (formats.wal.isWaiting) return outcomes.map((outcome) => refuseTooLarge(outcome, payload));
		// One of them is too large: none has happened, and all run again, each looked at by itself.
		session.connection.exec(lastGroup === "behind" ? `ROLLBACK TO ${groupSavepoint}` : "ROLLBACK");
		const again = executeGroup(requests, true);
		const rest = finishCapture(null);
		return rest === null ? again : withPayload(again, rest);
	}

	function isTooLarge(payload: Uint8Array): boolean {
		return payload.length > settings.maxTransactionBytes;
	}

	function refuseTooLarge({ outcome }: WriteOutcome, payload: Uint8Array): WriteOutcome {
		formats.wal.discard();
		return {
			outcome: tooLarge(outcome, payload.length, settings.maxTransactionBytes),
			payload: null,
			replayed: false,
		};
	}

	/** In a transaction of its own: what is captured before it has the old log format, what comes behind it the new one. */
	function changeSetting(change: SettingChange, groupSize: number): WriteOutcome {
		if (groupSize !== 1 || interactive !== null || session.connection.isTransaction)
			throw new Error("a change of a setting is not alone in its transaction");
		lastGroup = "whole";
		session.control.begin();
		session.stateWriter.setting(change);
		const outcome: ProgramOutcome = { results: [], errors: [], autocommit: true, foreignKeys: true };
		return { outcome, payload: settingPayload(change), replayed: false };
	}

	/** Of the change that the open transaction holds. A file of pages changes by pages only. */
	function settingPayload(change: SettingChange): Uint8Array {
		const { connection } = session;
		if (change.name !== "format")
			return session.format() === "wal"
				? formats.wal.captureSetting(connection, change)
				: encodeSettingChange(change);
		if (change.value !== "wal") {
			expectCapturable(change.value);
			return encodeSettingChange(change);
		}
		const payload = formats.wal.captureAll(connection);
		if (!isTooLarge(payload)) return payload;
		formats.wal.discard();
		throw new DatabaseTooLarge(payload.length, settings.maxTransactionBytes);
	}

	function expectCapturable(to: Exclude<LogFormat, "wal">): void {
		try {
			formats.expectCapturable(session.connection, to);
		} catch (error) {
			rollback();
			throw error instanceof CannotReplicate ? new TablesNotReplicable(to, error) : error;
		}
	}

	function applyCommand(payload: Uint8Array): void {
		const change = readSettingChange(payload);
		if (change === null) formats.apply(session.connection, payload);
		else session.stateWriter.setting(change);
	}

	function finishCapture(note: TransactionNote | null): Uint8Array | null {
		const payload = session.capture?.finish(note) ?? null;
		session.capture = null;
		return payload;
	}

	function executeGroup(requests: readonly WriteRequest[], apart: boolean): WriteOutcome[] {
		session.groupSize = requests.length;
		return requests.map((request) => executeOne(request, apart));
	}

	function executeOne(request: WriteRequest, apart: boolean): WriteOutcome {
		// Only between transactions: a group may find them as the request before it left them, and has them alike.
		if (interactive === null) setForeignKeys(session, request.foreignKeys);
		if (!session.connection.isTransaction) session.control.begin();
		const key = request.idempotencyKey;
		if (key !== null) {
			const stored = session.idempotency.find(key, request.program);
			if (stored === "another-request") return { outcome: keyTaken(request), payload: null, replayed: false };
			if (stored !== null) return { outcome: stored, payload: null, replayed: true };
		}
		const transaction = interactive ?? beginRequest(request, apart);
		interactive = null;
		const startedAt = now();
		session.mayStayOpen = request.interactive;
		const outcome = session.executor.run(request.program, transaction, request.timeoutMs);
		if (now() - startedAt > request.timeoutMs) {
			// It could not be interrupted, but it need not count: nobody waits for it any more.
			undoRequest();
			return {
				outcome: failedWhole(outcome, tookTooLong(request.timeoutMs)),
				payload: null,
				replayed: false,
			};
		}
		if (!outcome.autocommit && request.interactive) {
			interactive = transaction;
			return { outcome, payload: null, replayed: false };
		}
		// Not interactive, and yet open at its end: as when a connection closes, what is open is rolled back.
		session.executor.abandon(transaction);
		return finish(request, { ...outcome, autocommit: true }, apart);
	}

	function isPlain(program: Program): boolean {
		return program.steps.every((step) => plainKinds.has(session.kindOf(step.statement.sql)));
	}

	function beginRequest(request: WriteRequest, apart: boolean): ClientTransaction {
		const { connection, control } = session;
		session.capture ??= formats.beginCapture(connection, session.format());
		session.capture.beginRequest(!apart && !request.interactive && isPlain(request.program));
		control.savepoint();
		session.changed = false;
		return noTransaction(request.foreignKeys);
	}

	function finish(request: WriteRequest, outcome: ProgramOutcome, apart: boolean): WriteOutcome {
		const { control, idempotency, capture } = session;
		if (capture === null) throw new Error("a request ended without its capture");
		const key = request.idempotencyKey;
		if (key !== null && mayHaveChanged(request.program, outcome)) {
			const store = (): void => idempotency.store(key, request.program, request.receivedAtMs, outcome);
			capture.statement("write", "skein_requests", store, null);
		}
		// A transaction over several requests cannot run again: it is looked at before its group is.
		const bytes = apart || request.interactive ? capture.requestBytes() : 0;
		if (bytes > settings.maxTransactionBytes) {
			undoRequest();
			return {
				outcome: tooLarge(outcome, bytes, settings.maxTransactionBytes),
				payload: null,
				replayed: false,
			};
		}
		control.release();
		session.requestEnded();
		return { outcome, payload: null, replayed: false };
	}

	function undoRequest(): void {
		session.connection.exec(`ROLLBACK TO ${requestSavepoint}; RELEASE ${requestSavepoint}`);
		session.capture?.requestRolledBack();
		session.rolledBack();
		session.requestEnded();
	}

	function rollbackGroup(): void {
		if (lastGroup === null) throw new Error("there is no group to take back");
		if (lastGroup === "whole") return rollback();
		session.capture?.discard();
		session.capture = null;
		session.connection.exec(`ROLLBACK TO ${groupSavepoint}; RELEASE ${groupSavepoint}`);
		lastGroup = null;
		session.rolledBack();
		session.requestEnded();
	}

	function applyInTransaction(entries: readonly AppliedEntry[]): void {
		const { connection, control, stateWriter } = session;
		formats.wal.forget();
		control.begin();
		try {
			for (const entry of entries) {
				if (entry.kind === "command") applyCommand(entry.payload);
				if (entry.configuration !== null)
					stateWriter.configuration(entry.position.index, entry.configuration);
			}
			const last = entries.at(-1);
			if (last !== undefined) stateWriter.applied(last.position);
			control.commit();
		} catch (error) {
			if (connection.isTransaction) connection.exec("ROLLBACK");
			formats.forgetSchema();
			throw error;
		}
	}

	function applyPages(entries: readonly AppliedEntry[], last: Position): void {
		const payloads = entries.flatMap(({ kind, payload }) => (kind === "command" ? [payload] : []));
		const chosen = entries.findLast(({ configuration }) => configuration !== null);
		const configuration =
			chosen === undefined || chosen.configuration === null
				? null
				: { index: chosen.position.index, value: chosen.configuration };
		formats.forgetSchema();
		formats.wal.apply(session.connection, payloads, last, configuration);
	}

	function applyPieces(pieces: readonly AppliedEntry[]): void {
		for (const { kind, payload, position } of pieces) {
			formats.wal.addPiece(session.connection, payload, kind === "first-piece");
			if (kind !== "last-piece") continue;
			formats.forgetSchema();
			formats.wal.publish(session.connection, position);
		}
	}

	function rollback(): void {
		interactive = null;
		lastGroup = null;
		formats.wal.discard();
		session.capture?.discard();
		session.capture = null;
		if (session.connection.isTransaction) session.connection.exec("ROLLBACK");
		session.rolledBack();
		session.requestEnded();
		if (!session.foreignKeys) setForeignKeys(session, true);
	}

	return {
		state,
		execute,
		rollbackGroup,
		abandonInteractive() {
			if (interactive === null) return;
			interactive = null;
			undoRequest();
		},
		commit(applied, configuration = null) {
			if (interactive !== null) throw new Error("commit with an interactive transaction open");
			lastGroup = null;
			const inTransaction = session.connection.isTransaction;
			if (formats.wal.isWaiting || (!inTransaction && session.format() === "wal"))
				return formats.wal.write(session.connection, applied, configuration);
			formats.wal.forget();
			if (configuration !== null) {
				if (!session.connection.isTransaction) session.control.begin();
				session.stateWriter.configuration(configuration.index, configuration.value);
			}
			session.stateWriter.applied(applied);
			session.control.commit();
		},
		rollback,
		apply(entries) {
			if (session.mode !== "applying") reopen("applying");
			for (const { as, entries: some } of runsOf(entries, session.format())) {
				const last = some.at(-1)?.position;
				if (as === "pieces") applyPieces(some);
				else if (as === "pages" && last !== undefined) applyPages(some, last);
				else applyInTransaction(some);
			}
		},
		applied() {
			if (session.connection.isTransaction) throw new Error("the writing connection is in a transaction");
			return readState(session.connection).applied;
		},
		// Opened anew: FTS5 keeps what it knows of its tables in the connection, and `apply` went past it.
		prepareToLead() {
			reopen("leading");
			return session.format();
		},
		connection: () => session.connection,
		close() {
			rollback();
			session.connection.close();
			formats.wal.close();
		},
	};
}

function refuseForeignFile(connection: DatabaseSync, path: string): void {
	const tables = connection
		.prepare("SELECT count(*) AS number, sum(name = 'skein_state') AS own FROM sqlite_schema")
		.get();
	if (tables?.["number"] === 0 || tables?.["own"] === 1) return;
	connection.close();
	throw new Error(
		`${path} is a SQLite file that Skein did not make: move it away, and load its content with skein sql`,
	);
}

/** Nothing but rows can change, and no savepoint of the client's is inside: see `Capture`. */
const plainKinds: ReadonlySet<StatementKind> = new Set([
	"read",
	"write",
	"begin",
	"commit",
	"rollback",
	"no-op",
]);

function withPayload(outcomes: readonly WriteOutcome[], payload: Uint8Array): WriteOutcome[] {
	return outcomes.map((outcome, place) =>
		place === outcomes.length - 1 ? { ...outcome, payload } : outcome,
	);
}

const changingKinds: ReadonlySet<StatementKind> = new Set(["write", "schema", "pragma-write"]);
