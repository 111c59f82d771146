/**
 * Deferred foreign keys. SQLite checks them when the outermost transaction commits; here that is the
 * group's, too late to fail one request. So a request, or a client's COMMIT, is checked at its own
 * end, by the pragma that looks at all rows; only in databases that declare such keys.
 */
import type { DatabaseSync } from "node:sqlite";

export interface DeferredCheck {
	/** Throws what SQLite's COMMIT would. */
	check(): void;
	schemaChanged(): void;
}

class DeferredViolation extends Error {
	readonly errcode = 787;
}

export function createDeferredCheck(connection: DatabaseSync): DeferredCheck {
	let needed: boolean | null = null;
	const declared = connection.prepare(
		"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%DEFERRED%' AND name NOT LIKE 'skein\\_%' ESCAPE '\\') AS found",
	);

	return {
		check() {
			needed ??= declared.get()?.["found"] === 1;
			if (!needed) return;
			if (connection.prepare("PRAGMA foreign_keys").get()?.["foreign_keys"] !== 1) return;
			for (const _violation of connection.prepare("PRAGMA foreign_key_check").iterate()) {
				throw new DeferredViolation("FOREIGN KEY constraint failed");
			}
		},
		schemaChanged() {
			needed = null;
		},
	};
}
