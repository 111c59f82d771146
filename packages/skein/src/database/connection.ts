/** How Skein opens its SQLite file, for each use, and what no connection may do (second line behind refusals.ts). */
import { constants, DatabaseSync } from "node:sqlite";
import { isOwnTable, replaysTable } from "./own-tables.ts";
import { pragmaAllowed, pragmaTableAllowed } from "./pragmas.ts";

export const databaseFileName = "default.sqlite";

/**
 * WAL mode: readers see the last commit while a transaction is open. synchronous=NORMAL: a commit
 * is not synced, since the log is what makes it durable; a checkpoint is, in the right order.
 */
export function openWriting(path: string): DatabaseSync {
	const connection = new DatabaseSync(path, { timeout: 5_000, enableForeignKeyConstraints: true });
	connection.exec(
		"PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 4194304; PRAGMA cache_size = -16000",
	);
	return connection;
}

export function openReading(path: string): DatabaseSync {
	const connection = new DatabaseSync(path, { timeout: 5_000, readOnly: true });
	connection.exec("PRAGMA cache_size = -8000; PRAGMA query_only = ON");
	return connection;
}

/** Is told what a client's text will do, as SQLite's authorizer tells; `inside`: of which trigger, view or common table. */
export type Sight = (
	action: number,
	first: string | null,
	second: string | null,
	inside: string | null,
) => void;

/**
 * Runs `prepare` of a client's text under the rules below; all else that runs on the connection is Skein's own.
 * `see` is told what was allowed.
 */
export type Guard = <T>(prepare: () => T, see?: Sight) => T;

/** For connections that run clients' SQL. SQLite asks the authorizer while it prepares a statement. */
export function guardConnection(connection: DatabaseSync): Guard {
	let client = false;
	let drops = false;
	let sight: Sight | undefined;
	connection.setAuthorizer((action, first, second, _database, trigger) => {
		// Skein's own triggers note rows (changes/noted-rows.ts); a client's cannot have such a name.
		if (!client || isOwn(trigger)) return constants.SQLITE_OK;
		if (!isAllowed(action, first, second)) return constants.SQLITE_DENY;
		sight?.(action, first, second, trigger);
		drops ||= dropping.has(action);
		// A DELETE without WHERE would empty the table at one blow, and a session that begins after it was
		// prepared would not see it; IGNORE makes it go row by row (https://sqlite.org/c3ref/set_authorizer.html).
		// Of a DROP the same answer would make nothing.
		if (action === constants.SQLITE_DELETE && !drops && first?.startsWith("sqlite_") === false)
			return constants.SQLITE_IGNORE;
		return constants.SQLITE_OK;
	});
	// A table without a page of its own; asked each time, since a schema can be rolled back, and the number of its version with it.
	const virtualTable = connection.prepare(
		"SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND rootpage = 0 LIMIT 1",
	);
	return (prepare, see) => {
		sight = see;
		drops = false;
		const isDefensive = virtualTable.get() !== undefined;
		client = true;
		// SQLite then refuses to write, drop or alter the tables in which FTS5 and others keep their own; their
		// modules may, and so may triggers of Skein's, while a statement runs or a module is set up. Only where there are any:
		// each change of this makes SQLite prepare all statements of the connection anew.
		if (isDefensive) connection.enableDefensive(true);
		try {
			return prepare();
		} finally {
			if (isDefensive) connection.enableDefensive(false);
			client = false;
			sight = undefined;
		}
	};
}

const dropping: ReadonlySet<number> = new Set([
	constants.SQLITE_DROP_TABLE,
	constants.SQLITE_DROP_VIEW,
	constants.SQLITE_DROP_VTABLE,
]);

function isAllowed(action: number, first: string | null, second: string | null): boolean {
	switch (action) {
		case constants.SQLITE_ATTACH:
		case constants.SQLITE_DETACH:
		case constants.SQLITE_CREATE_TEMP_INDEX:
		case constants.SQLITE_CREATE_TEMP_TABLE:
		case constants.SQLITE_CREATE_TEMP_TRIGGER:
		case constants.SQLITE_CREATE_TEMP_VIEW:
			return false;
		case constants.SQLITE_INSERT:
			return !isOwn(first) || first === replaysTable;
		case constants.SQLITE_UPDATE:
		case constants.SQLITE_DELETE:
		case constants.SQLITE_DROP_TABLE:
		case constants.SQLITE_CREATE_TABLE:
		case constants.SQLITE_CREATE_VTABLE:
		case constants.SQLITE_CREATE_VIEW:
			return !isOwn(first);
		case constants.SQLITE_CREATE_INDEX:
		case constants.SQLITE_CREATE_TRIGGER:
		case constants.SQLITE_DROP_INDEX:
			return !isOwn(first) && !isOwn(second);
		case constants.SQLITE_ALTER_TABLE:
			return !isOwn(second);
		case constants.SQLITE_READ:
			return first === null || pragmaTableAllowed(first);
		case constants.SQLITE_PRAGMA:
			return pragmaAllowed(first, second);
		case constants.SQLITE_FUNCTION:
			return second !== "load_extension";
		default:
			return true;
	}
}

function isOwn(table: string | null): boolean {
	return table !== null && isOwnTable(table);
}
