/** Outcomes by idempotency key: found before a request runs, stored with its effects, bounded by count and age. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { createOutcomeClock } from "./outcome-clock.ts";
import type { Program, ProgramOutcome } from "./program.ts";
import type { DatabaseSettings } from "./settings.ts";
import { fingerprintOf, readOutcome, storeOutcome } from "./stored-outcome.ts";

export interface Idempotency {
	/** "another-request": the key was used for another program. */
	find(key: string, program: Program): ProgramOutcome | "another-request" | null;
	/** Inside the request's capture: what it deletes and inserts is replicated. */
	store(key: string, program: Program, receivedAtMs: number, outcome: ProgramOutcome): void;
}

interface Statements {
	readonly find: StatementSync;
	readonly newest: StatementSync;
	readonly insert: StatementSync;
	readonly prune: StatementSync;
}

/** For one opening of the writing connection: a leader opens it anew for each of its reigns. */
export function createIdempotency(connection: DatabaseSync, settings: DatabaseSettings): Idempotency {
	let statements: Statements | null = null;
	const clock = createOutcomeClock(() => Number(prepared().newest.get()?.["at_ms"] ?? 0));

	function prepared(): Statements {
		statements ??= {
			find: connection.prepare("SELECT outcome FROM skein_requests WHERE key = ?"),
			newest: connection.prepare("SELECT at_ms FROM skein_requests ORDER BY number DESC LIMIT 1"),
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
		store(key, program, receivedAtMs, outcome) {
			const atMs = clock(receivedAtMs);
			prepared().prune.run(settings.maxStoredOutcomes - 1, atMs - settings.storedOutcomeAgeMs);
			prepared().insert.run(key, atMs, storeOutcome(outcome, fingerprintOf(program)));
		},
	};
}
