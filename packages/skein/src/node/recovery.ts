/** How a member goes on from what its disk holds: the log, and the database with its applied index. */
import { decodeConfiguration } from "../consensus/configuration.ts";
import type { CoreOptions } from "../consensus/core.ts";
import type { Configuration } from "../consensus/types.ts";
import type { Database } from "../database/database.ts";
import type { Log } from "../log/log.ts";

export type RecoveredCore = Pick<
	CoreOptions,
	"promise" | "base" | "headers" | "configuration" | "configurations" | "commitIndex"
>;

export async function coreState(options: {
	log: Log;
	database: Pick<Database, "opened">;
	bootstrap: Configuration;
}): Promise<RecoveredCore> {
	const { log, database, bootstrap } = options;
	const { promise, base, headers, configurations } = log.recovered;
	const { applied, configuration } = database.opened;
	const inForce = configuration ?? { index: 0, value: bootstrap };
	const termAtApplied =
		applied.index === base.index ? base.term : headers[applied.index - base.index - 1]?.term;

	if (applied.index < base.index) {
		throw new Error(
			`the database holds entries up to ${applied.index}, but the log begins after ${base.index}: the database file was ` +
				"replaced by an older one or deleted. Put the newer file back, or empty this node's data directory and let it join under a new id",
		);
	}
	if (termAtApplied !== applied.term) {
		// A snapshot was installed and the process ended before the log was told: the log is older, or
		// of another history, than what the snapshot holds as committed. The database is right.
		await log.reset(applied);
		return {
			promise,
			base: applied,
			headers: [],
			configuration: inForce,
			configurations: [],
			commitIndex: applied.index,
		};
	}
	return {
		promise,
		base,
		headers,
		configuration: inForce,
		configurations: configurations
			.filter((entry) => entry.index > inForce.index)
			.map((entry) => ({ index: entry.index, value: decodeConfiguration(entry.payload) })),
		commitIndex: applied.index,
	};
}
