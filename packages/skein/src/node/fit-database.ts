/** The database as readers of this node get it: closed to them while it does not fit the log (state-machine.ts). */
import { SkeinError } from "../../../client/src/errors.ts";
import type { Database } from "../database/database.ts";

export type ReadableDatabase = Pick<Database, "read" | "beginRead" | "describe" | "explain">;

export function createFitDatabase(database: ReadableDatabase, unfit: () => boolean): ReadableDatabase {
	/** What it would show may be wrong. */
	function refuse(): Promise<never> | null {
		if (!unfit()) return null;
		return Promise.reject(
			new SkeinError(
				"this node's database does not fit the log and waits for a copy of the leader's: ask another node",
				{ code: "NOT_READY" },
			),
		);
	}

	return {
		read: (program, limits) => refuse() ?? database.read(program, limits),
		beginRead: (limits) => refuse() ?? database.beginRead(limits),
		describe: (sql) => refuse() ?? database.describe(sql),
		explain: (sql, format) => refuse() ?? database.explain(sql, format),
	};
}
