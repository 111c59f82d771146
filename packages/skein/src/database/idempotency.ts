/** Outcomes by idempotency key: found before a request runs, stored with its effects, bounded by count and age. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Program, ProgramOutcome } from "./program.ts";
import type { DatabaseSettings } from "./settings.ts";
import { fingerprintOf, readOutcome, storeOutcome } from "./stored-outcome.ts";

export interface Idempotency {
	/** "another-request": the key was used for another program. */
	find(key: string, program: Program): ProgramOutcome | "another-request" | null;
	/** Inside the request's capture: what it deletes and inserts is replicated. */
	store(key: string, program: Program, wallTimeMs: number, outcome: ProgramOutcome): void;
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
		find(key, program) {
			const row = prepared().find.get(key);
			if (row === undefined) return null;
			const { outcome, fingerprint } = readOutcome(String(row["outcome"]));
			return fingerprint === fingerprintOf(program) ? outcome : "another-request";
		},
		store(key, program, wallTimeMs, outcome) {
			prepared().prune.run(settings.maxStoredOutcomes - 1, wallTimeMs - settings.storedOutcomeAgeMs);
			prepared().insert.run(key, wallTimeMs, storeOutcome(outcome, fingerprintOf(program)));
		},
	};
}
