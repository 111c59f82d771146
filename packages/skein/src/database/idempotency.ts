/** Outcomes by idempotency key: found before a request runs, stored with its effects, bounded by count and age. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ProgramOutcome } from "./program.ts";
import type { DatabaseSettings } from "./settings.ts";
import { readOutcome, storeOutcome } from "./stored-outcome.ts";

export interface Idempotency {
	find(key: string): ProgramOutcome | null;
	/** Inside the request's capture: what it deletes and inserts is replicated. */
	store(key: string, wallTimeMs: number, outcome: ProgramOutcome): void;
}

interface Statements {
	readonly find: StatementSync;
	readonly insert: StatementSync;
	readonly prune: StatementSync;
}

export function createIdempotency(connection: DatabaseSync, settings: DatabaseSettings): Idempotency {
	let statements: Statements | null = null;

	function prepared(): Statements {
		statements ??= {
			find: connection.prepare("SELECT outcome FROM skein_requests WHERE key = ?"),
			insert: connection.prepare(
				"INSERT INTO skein_requests (number, key, at_ms, outcome) VALUES ((SELECT coalesce(max(number), 0) + 1 FROM skein_requests), ?, ?, ?)",
			),
			prune: connection.prepare(
				"DELETE FROM skein_requests WHERE number <= (SELECT max(number) FROM skein_requests) - ?1 OR at_ms < ?2",
			),
		};
		return statements;
	}

	return {
		find(key) {
			const row = prepared().find.get(key);
			return row === undefined ? null : readOutcome(String(row["outcome"]));
		},
		store(key, wallTimeMs, outcome) {
			prepared().prune.run(settings.maxStoredOutcomes - 1, wallTimeMs - settings.storedOutcomeAgeMs);
			prepared().insert.run(key, wallTimeMs, storeOutcome(outcome));
		},
	};
}
