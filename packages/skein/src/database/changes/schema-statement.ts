/**
 * A statement that changes the schema, on the leader. Followers run its text, with two exceptions.
 * CREATE TABLE … AS SELECT: the SELECT must not be asked twice, so they get the resulting schema and
 * rows. DROP TABLE of a table that foreign keys refer to: SQLite first deletes its rows, with cascades
 * into other tables; here that is done by a DELETE of its own, so that the cascades are captured.
 */
import type { DatabaseSync } from "node:sqlite";
import { nextToken, type PlacedToken } from "../sql-tokens.ts";
import { CannotReplicate } from "./format.ts";
import type { NotedRows } from "./noted-rows.ts";
import type { Part } from "./payload.ts";
import { quoteName, type SchemaKnowledge } from "./schema.ts";

export interface SchemaStatement<T> {
	readonly connection: DatabaseSync;
	readonly notedRows: NotedRows;
	readonly sql: string;
	readonly run: () => T;
	readonly watch: () => void;
	readonly flush: () => void;
	readonly add: (part: Part) => void;
	readonly count: () => number;
	readonly restore: (count: number) => void;
}

const savepoint = "skein_schema";

export function runSchemaStatement<T>(work: SchemaStatement<T>): T {
	const { connection, notedRows } = work;
	const before = work.count();
	connection.exec(`SAVEPOINT ${savepoint}`);
	try {
		const result = steps(work);
		refreshOrRefuse(notedRows);
		connection.exec(`RELEASE ${savepoint}`);
		return result;
	} catch (error) {
		if (connection.isTransaction) {
			connection.exec(`ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`);
			notedRows.refresh();
		}
		work.restore(before);
		throw error;
	}
}

/**
 * While the statement can still be undone: a schema whose rows cannot be watched, once it is there, would
 * make every later write fail, and every later leader.
 */
export function refreshOrRefuse(notedRows: NotedRows): SchemaKnowledge {
	try {
		return notedRows.refresh();
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		throw new CannotReplicate(`rows of such a table could not be replicated: ${reason}`, { cause: error });
	}
}

function steps<T>(work: SchemaStatement<T>): T {
	const { connection, notedRows, sql, run } = work;
	const words = firstWords(sql);
	const dropped = droppedTable(words);
	if (dropped !== null) emptyReferencedTable(work, dropped);
	const tablesBefore = makesTableAsSelect(words) ? notedRows.refresh().tableNames : null;
	notedRows.removeTriggers();
	const result = run();
	if (tablesBefore === null) {
		work.add({ type: "sql", sql });
		return result;
	}
	const created = [...refreshOrRefuse(notedRows).tableNames].filter((name) => !tablesBefore.has(name));
	for (const name of created) {
		const row = connection
			.prepare("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?")
			.get(name);
		work.add({ type: "sql", sql: String(row?.["sql"]) });
		notedRows.noteAll(name);
		for (const part of notedRows.take()) work.add(part);
	}
	return result;
}

function emptyReferencedTable<T>(work: SchemaStatement<T>, table: string): void {
	const { connection } = work;
	if (connection.prepare("PRAGMA foreign_keys").get()?.["foreign_keys"] !== 1) return;
	const referenced = connection
		.prepare(
			`SELECT t.name FROM main.sqlite_schema AS t, pragma_foreign_key_list(t.name) AS k
			 WHERE t.type = 'table' AND k."table" = ? COLLATE NOCASE LIMIT 1`,
		)
		.get(table);
	if (referenced === undefined) return;
	// The implicit DELETE fires no triggers, and they go with the table anyway.
	const triggers = connection.prepare(
		"SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE",
	);
	for (const row of triggers.all(table)) {
		const drop = `DROP TRIGGER main.${quoteName(String(row["name"]))}`;
		connection.exec(drop);
		work.add({ type: "sql", sql: drop });
	}
	work.watch();
	connection.exec(`DELETE FROM main.${quoteName(table)}`);
	work.flush();
}

function firstWords(sql: string): PlacedToken[] {
	const tokens: PlacedToken[] = [];
	for (let token = nextToken(sql, 0); token !== null && tokens.length < 12; token = nextToken(sql, token.end))
		tokens.push(token);
	return tokens;
}

function isWord(token: PlacedToken | undefined, text: string): boolean {
	return token?.type === "word" && token.text === text;
}

/** CREATE TABLE … AS SELECT, and no TEMP one. */
export function isTableAsSelect(sql: string): boolean {
	return makesTableAsSelect(firstWords(sql));
}

function makesTableAsSelect(words: readonly PlacedToken[]): boolean {
	if (!isWord(words[0], "CREATE") || !isWord(words[1], "TABLE")) return false;
	return isWord(words[nameEnd(words)], "AS");
}

function droppedTable(words: readonly PlacedToken[]): string | null {
	if (!isWord(words[0], "DROP") || !isWord(words[1], "TABLE")) return null;
	return words[nameEnd(words) - 1]?.text ?? null;
}

/** Behind CREATE|DROP TABLE [IF [NOT] EXISTS] [schema .] name */
function nameEnd(words: readonly PlacedToken[]): number {
	let place = 2;
	while (["IF", "NOT", "EXISTS"].some((word) => isWord(words[place], word))) place++;
	return words[place + 1]?.text === "." ? place + 3 : place + 1;
}
