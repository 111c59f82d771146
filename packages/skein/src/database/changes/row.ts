/**
 * The row format: what a transaction changed, as rows; changes of the schema as SQL. Rows of tables
 * whose rowid is their key, and of WITHOUT ROWID tables, come from a SQLite session; those of all other
 * tables are noted by rowid (noted-rows.ts). DESIGN.md has the reasons and the traps.
 */
import type { DatabaseSync, Session } from "node:sqlite";
import type { StatementKind } from "../parsed-statement.ts";
import { parseStatement } from "../sql.ts";
import { applyChangeset } from "./apply-changeset.ts";
import { keepTables } from "./changeset.ts";
import { createDelicateTables, type DelicateTables } from "./delicate-tables.ts";
import type { Capture, ChangeFormat, ClientStatement } from "./format.ts";
import { createHiddenTriggers, type HiddenTriggers } from "./hidden-triggers.ts";
import { type LoggedStatement, sizeOfStatement } from "./logged-statement.ts";
import { createNotedRows, type NotedRows } from "./noted-rows.ts";
import { decodePayload, encodePayload, type Part } from "./payload.ts";
import { applyRows } from "./rows.ts";
import type { SchemaKnowledge } from "./schema.ts";
import { refreshOrRefuse, runSchemaStatement } from "./schema-statement.ts";
import { applySequence, equalSequences, sequenceReader } from "./sequence.ts";

/** What hangs on a connection that captures. */
interface CapturingConnection {
	readonly connection: DatabaseSync;
	readonly notedRows: NotedRows;
	readonly readSequence: () => Uint8Array;
}

/** What hangs on a connection that applies. */
interface ApplyingConnection {
	readonly connection: DatabaseSync;
	readonly triggers: HiddenTriggers;
	readonly delicateTables: DelicateTables;
}

/** What the statement format uses of it: rows stand between its statements. */
export interface RowFormat extends ChangeFormat {
	beginMixedCapture(connection: DatabaseSync, statements: StatementCapture): Capture;
	/** Another format captures: rows need not be watched. */
	unwatch(connection: DatabaseSync): void;
	/** Before it captures in place of a format that takes any table. Throws `CannotReplicate`. */
	expectWatchable(connection: DatabaseSync): void;
	applyMixed(connection: DatabaseSync, payload: Uint8Array, statements: StatementApply): void;
}

export interface StatementCapture {
	/** Of which schema the next write is: another object, another schema. */
	schema(knowledge: SchemaKnowledge): void;
	/**
	 * Runs a write whose SQL is logged; null, and nothing has happened, when its rows must be. Before it runs
	 * it calls `before`: rows that changed earlier stand before it. `part` null: nothing changed.
	 */
	write<T>(
		client: ClientStatement,
		run: () => T,
		before: () => void,
	): { readonly result: T; readonly part: Part | null } | null;
}

export interface StatementApply {
	run(connection: DatabaseSync, statement: LoggedStatement): void;
}

export function createRowFormat(): RowFormat {
	let capturing: CapturingConnection | null = null;
	let applying: ApplyingConnection | null = null;

	function beginCapture(connection: DatabaseSync, statements: StatementCapture | null): Capture {
		if (capturing?.connection !== connection)
			throw new Error("beginCapture on a connection that was not prepared");
		capturing.notedRows.mayPause(statements !== null);
		return createCapture(capturing, statements);
	}

	function apply(connection: DatabaseSync, payload: Uint8Array, statements: StatementApply | null): void {
		if (applying?.connection !== connection) throw new Error("apply on a connection that was not prepared");
		const { triggers } = applying;
		for (const part of decodePayload(payload)) {
			if (part.type === "note") continue;
			if (part.type === "pages" || part.type === "setting")
				throw new Error(`${part.type} in a payload of rows`);
			if (part.type === "statement") {
				if (statements === null) throw new Error("a statement in a payload of rows");
				if (part.statement.firesTriggers) triggers.show();
				statements.run(connection, part.statement);
				continue;
			}
			if (part.type === "sql") triggers.show();
			else triggers.hide();
			applyPart(applying, part);
		}
	}

	return {
		name: "row",
		prepareToCapture(connection) {
			// FTS3 and others write their shadow tables through SQL, and those are noted by triggers as well.
			connection.enableDefensive(false);
			applying = null;
			// It does not look at the schema before rows are captured: there may be tables, made in the format wal, that it cannot watch.
			const notedRows = createNotedRows(connection);
			capturing = { connection, notedRows, readSequence: sequenceReader(connection) };
		},
		beginCapture: (connection) => beginCapture(connection, null),
		beginMixedCapture: beginCapture,
		unwatch(connection) {
			if (capturing?.connection === connection) capturing.notedRows.unwatch();
		},
		expectWatchable(connection) {
			if (capturing?.connection === connection) refreshOrRefuse(capturing.notedRows);
		},
		prepareToApply(connection) {
			capturing = null;
			connection.enableDefensive(false);
			connection.exec("PRAGMA foreign_keys = OFF");
			applying = {
				connection,
				triggers: createHiddenTriggers(connection),
				delicateTables: createDelicateTables(connection),
			};
		},
		apply: (connection, payload) => apply(connection, payload, null),
		applyMixed: apply,
		applyRolledBack() {
			applying?.triggers.forget();
			applying?.delicateTables.forget();
		},
	};
}

function applyPart(
	{ connection, delicateTables }: ApplyingConnection,
	part: Exclude<Part, { readonly type: "statement" | "note" | "pages" | "setting" }>,
): void {
	switch (part.type) {
		case "changeset":
			return applyChangeset(connection, part.bytes, delicateTables);
		case "sql":
			return connection.exec(part.sql);
		case "rows":
			return applyRows(connection, part.bytes);
		case "sequence":
			return applySequence(connection, part.bytes);
		default: {
			const never: never = part;
			throw new Error(String(never));
		}
	}
}

function createCapture(
	{ connection, notedRows, readSequence }: CapturingConnection,
	statements: StatementCapture | null,
): Capture {
	let knowledge: SchemaKnowledge | null = null;
	let session: Session | null = null;
	let sequenceBefore: Uint8Array | null = null;
	let parts: Part[] = [];
	/** Where the client's savepoints began, innermost last: how many parts there were. */
	const marks: { readonly name: string | null; readonly parts: number }[] = [];
	/** How many parts there were when the request began. */
	let requestMark = 0;
	let plain = true;
	/** The triggers fit the schema, which changes within a capture only by what goes through it. */
	let isFresh = false;

	/** Only before the first statement that may write: reads inside a transaction cost nothing. */
	function watch(): void {
		if (session !== null) return;
		knowledge = notedRows.refresh();
		if (knowledge.hasAutoincrement) sequenceBefore = readSequence();
		session = connection.createSession();
	}

	/** Turns what was watched so far into parts. */
	function flush(): void {
		if (session === null || knowledge === null) return;
		const partsBefore = parts.length;
		const changeset = session.changeset();
		session.close();
		session = null;
		const { noted } = knowledge;
		const names = new Set(noted.map((table) => table.name));
		const kept =
			names.size === 0 || changeset.length === 0
				? changeset
				: keepTables(changeset, (name) => !names.has(name));
		if (kept.length > 0) parts.push({ type: "changeset", bytes: kept });
		parts.push(...notedRows.take());
		if (sequenceBefore === null) return;
		// Also when it is what it was: replaying rows moves a follower's own (an id above it, and back).
		const bytes = readSequence();
		if (parts.length > partsBefore || !equalSequences(sequenceBefore, bytes))
			parts.push({ type: "sequence", bytes });
		sequenceBefore = null;
	}

	function stopWatching(): void {
		session?.close();
		session = null;
		sequenceBefore = null;
	}

	function schemaStatement<T>(sql: string, run: () => T): T {
		isFresh = false;
		watch();
		flush();
		return runSchemaStatement({
			connection,
			notedRows,
			sql,
			run,
			watch,
			flush,
			add: (part) => parts.push(part),
			restore: (count) => {
				parts = parts.slice(0, count);
				stopWatching();
			},
			count: () => parts.length,
		});
	}

	/** Whatever is noted before the savepoint must not be mixed with what may be taken back to it. */
	function mark<T>(name: string | null, run: () => T): T {
		flush();
		const result = run();
		marks.push({ name, parts: parts.length });
		return result;
	}

	function takeBack<T>(position: number, keepMark: boolean, run: () => T): T {
		isFresh = false;
		stopWatching();
		const result = run();
		const found = marks[position];
		if (found === undefined) throw new Error("a rollback to a savepoint that was not seen");
		parts = parts.slice(0, found.parts);
		marks.length = keepMark ? position + 1 : position;
		return result;
	}

	/** By its SQL, if that is safe, else by its rows. */
	function write<T>(sql: string, run: () => T, client: ClientStatement | null): T {
		if (statements !== null && client !== null) {
			if (!isFresh) statements.schema(notedRows.refresh());
			isFresh = true;
			const logged = statements.write(client, () => notedRows.unnoted(run), flush);
			if (logged !== null) {
				if (logged.part !== null) parts.push(logged.part);
				return logged.result;
			}
		}
		watch();
		return notedRows.write(sql, run);
	}

	function statement<T>(kind: StatementKind, sql: string, run: () => T, client: ClientStatement | null): T {
		// Session and noted rows follow every rollback by themselves: they tell what differs in the end.
		if (plain) return kind === "write" ? notedRows.write(sql, run) : run();
		switch (kind) {
			case "read":
			case "no-op":
			case "pragma-foreign-keys":
				return run();
			case "write":
				return write(sql, run, client);
			case "schema":
				return schemaStatement(sql, run);
			case "pragma-write": {
				const result = run();
				flush();
				parts.push({ type: "sql", sql });
				return result;
			}
			case "begin":
				return mark(null, run);
			case "savepoint":
				return mark(savepointName(sql), run);
			case "commit":
				marks.length = 0;
				return run();
			case "release": {
				const result = run();
				marks.length = Math.max(
					0,
					marks.findLastIndex((one) => one.name === savepointName(sql)),
				);
				return result;
			}
			case "rollback":
				return takeBack(0, false, run);
			case "rollback-to":
				return takeBack(
					marks.findLastIndex((one) => one.name === savepointName(sql)),
					true,
					run,
				);
		}
	}

	return {
		beginRequest(isPlain) {
			// Statements are parts as they come: nothing of them is taken back by itself.
			plain = isPlain && statements === null;
			if (plain) return watch();
			flush();
			requestMark = parts.length;
			marks.length = 0;
		},
		statement,
		requestRolledBack() {
			isFresh = false;
			if (plain) return;
			stopWatching();
			parts = parts.slice(0, requestMark);
			marks.length = 0;
		},
		requestBytes() {
			flush();
			return parts.slice(requestMark).reduce((sum, part) => sum + sizeOf(part), 0);
		},
		finish(note) {
			flush();
			if (parts.length === 0) return null;
			const all: Part[] = note === null ? parts : [{ type: "note", note }, ...parts];
			return encodePayload(all, statements === null ? "row" : "statement");
		},
		discard: stopWatching,
	};
}

function sizeOf(part: Part): number {
	switch (part.type) {
		case "changeset":
		case "rows":
		case "sequence":
			return part.bytes.length;
		case "sql":
			return part.sql.length;
		case "statement":
			return sizeOfStatement(part.statement);
		case "note":
		case "pages":
		case "setting":
			return 0;
	}
}

function savepointName(sql: string): string {
	const { savepoint } = parseStatement(sql);
	if (savepoint === null) throw new Error("a savepoint without a name");
	return savepoint;
}
