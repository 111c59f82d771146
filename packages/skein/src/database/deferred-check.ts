/**
 * Deferred foreign keys. SQLite checks them when the outermost transaction commits; here that is the
 * group's, too late to fail one request. So violations are counted before and after a statement, or
 * a client's transaction, by the pragma that looks at all rows; only in databases that declare such keys.
 */
import type { DatabaseSync } from "node:sqlite";

export interface DeferredCheck {
	/** There are deferred keys to check. */
	needed(): boolean;
	/** Notes how many violations there are: what was there before is nobody's fault now. */
	begin(): void;
	/** Throws what SQLite's COMMIT would if there are more than at `begin`. */
	check(): void;
	schemaChanged(): void;
}

class DeferredViolation extends Error {
	readonly errcode = 787;
}

export function createDeferredCheck(connection: DatabaseSync): DeferredCheck {
	let declared: boolean | null = null;
	let before = 0;
	const find = connection.prepare(
		"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%DEFERRED%' AND name NOT LIKE 'skein\\_%' ESCAPE '\\') AS found",
	);

	function needed(): boolean {
		declared ??= find.get()?.["found"] === 1;
		return declared && connection.prepare("PRAGMA foreign_keys").get()?.["foreign_keys"] === 1;
	}

	function violations(): number {
		return Number(
			connection.prepare("SELECT count(*) AS number FROM pragma_foreign_key_check").get()?.["number"],
		);
	}

	return {
		needed,
		begin() {
			if (needed()) before = violations();
		},
		check() {
			if (needed() && violations() > before) throw new DeferredViolation("FOREIGN KEY constraint failed");
		},
		schemaChanged() {
			declared = null;
		},
	};
}
