/** Skein's own transaction control on a connection, prepared once: `exec` would parse each text again for every request. */
import type { DatabaseSync } from "node:sqlite";

export interface ControlStatements {
	begin(): void;
	commit(): void;
	savepoint(): void;
	release(): void;
}

export function createControlStatements(connection: DatabaseSync, savepointName: string): ControlStatements {
	const prepare = (sql: string): (() => void) => {
		const statement = connection.prepare(sql);
		return () => {
			statement.run();
		};
	};
	return {
		begin: prepare("BEGIN IMMEDIATE"),
		commit: prepare("COMMIT"),
		savepoint: prepare(`SAVEPOINT ${savepointName}`),
		release: prepare(`RELEASE ${savepointName}`),
	};
}
