/**
 * Triggers must do nothing where changes are replayed: what they changed is in the payload. SQLite's
 * authorizer cannot see to that (IGNORE does not stop a DELETE, https://sqlite.org/c3ref/c_deny.html),
 * and Node does not offer SQLite's switch for triggers. So they are hidden: the schema is read once
 * with the trigger rows deleted, and the deletion is rolled back. The file keeps them, the connection
 * does not know them, until its schema is read anew.
 */
import { constants, type DatabaseSync } from "node:sqlite";

export interface HiddenTriggers {
	/** Before rows are replayed. */
	hide(): void;
	/** Before a statement that changes the schema, or whose triggers shall fire: it must see the whole. */
	show(): void;
	/** After a rollback: what the connection knows is not known. */
	forget(): void;
}

const changes: ReadonlySet<number> = new Set([
	constants.SQLITE_INSERT,
	constants.SQLITE_UPDATE,
	constants.SQLITE_DELETE,
]);

export function createHiddenTriggers(connection: DatabaseSync): HiddenTriggers {
	/** Nothing to hide counts as hidden; then there is nothing to show either. */
	let hidden = false;
	let altered = false;

	// A trigger that was not hidden would change rows twice: better to fail than to diverge.
	connection.setAuthorizer((action, _first, _second, _database, trigger) =>
		hidden && trigger !== null && changes.has(action) ? constants.SQLITE_DENY : constants.SQLITE_OK,
	);

	function show(): void {
		hidden = false;
		if (!altered) return;
		altered = false;
		connection.exec("PRAGMA writable_schema = RESET");
	}

	return {
		hide() {
			if (hidden) return;
			hidden = true;
			if (
				connection.prepare("SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger' LIMIT 1").get() ===
				undefined
			)
				return;
			altered = true;
			connection.exec(
				"SAVEPOINT skein_hide; PRAGMA writable_schema = ON; DELETE FROM main.sqlite_schema WHERE type = 'trigger'; PRAGMA writable_schema = RESET",
			);
			// Reads the schema as it is now.
			connection.prepare("SELECT count(*) FROM main.sqlite_schema").get();
			connection.exec("ROLLBACK TO skein_hide; RELEASE skein_hide");
		},
		show,
		forget: show,
	};
}
