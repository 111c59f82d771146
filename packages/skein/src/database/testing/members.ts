/** A leader and two followers on real files, without threads and network: what is written on one is applied on the others. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogFormats } from "../changes/formats.ts";
import type { AppliedEntry, WriteOutcome, WriteRequest } from "../database.ts";
import type { LogFormat } from "../log-format.ts";
import type { Value } from "../program.ts";
import { defaultDatabaseSettings as settings } from "../settings.ts";
import { createWriter, type Writer } from "../writer.ts";

export interface Members {
	readonly directory: string;
	readonly writers: Readonly<Record<string, Writer>>;
	/** Every entry there was: the log. */
	readonly log: AppliedEntry[];
	index: number;
	/** Changes that were captured: a case that captures nothing tests nothing. */
	payloads: number;
}

export function openWriter(path: string): Writer {
	return createWriter({ path, formats: createLogFormats(), settings, now: () => performance.now() });
}

/** `format`: chosen by the first entry; null: nobody chose one. */
export function withMembers(run: (members: Members) => void, format: LogFormat | null = null): void {
	const directory = mkdtempSync(join(tmpdir(), "skein-members-"));
	const open = (name: string): Writer => openWriter(join(directory, name));
	const writers = { a: open("a"), b: open("b"), c: open("c") };
	try {
		const members: Members = { directory, writers, log: [], index: 0, payloads: 0 };
		if (format !== null) {
			writers.a.prepareToLead();
			commitGroup(members, "a", ["b", "c"], [formatRequest(format)]);
			members.log.length = 0;
			members.payloads = 0;
		}
		run(members);
	} finally {
		for (const writer of Object.values(writers)) writer.close();
		rmSync(directory, { recursive: true, force: true });
	}
}

/**
 * SQLite on this follower finds rows in the opposite order wherever none is asked for: what depends on it
 * shows, as it would on a member that chose another index.
 */
export function applyReversed(writer: Writer, entries: readonly AppliedEntry[]): void {
	// Opens the connection to apply, if it is not yet.
	writer.apply([]);
	writer.connection().exec("PRAGMA reverse_unordered_selects = ON");
	writer.apply(entries);
}

/** A statement as text, or as text and arguments. */
export type Sql = string | readonly [sql: string, ...values: readonly Value[]];

export function requestOf(statements: readonly Sql[]): WriteRequest {
	const steps = statements.map((one) => {
		const [sql, ...values] = typeof one === "string" ? [one] : one;
		return { condition: null, statement: { sql, arguments: values, namedArguments: [], wantRows: true } };
	});
	return {
		program: { steps },
		foreignKeys: true,
		interactive: false,
		idempotencyKey: null,
		note: null,
		receivedAtMs: 0,
		timeoutMs: 20_000,
	};
}

export function formatRequest(format: LogFormat): WriteRequest {
	return { ...requestOf([]), setting: { name: "format", value: format } };
}

/** Runs one group on a leader that was told to lead, and applies what it captured on `followers`, entry by entry. */
export function commitGroup(
	members: Members,
	leader: string,
	followers: readonly string[],
	requests: readonly WriteRequest[],
): WriteOutcome[] {
	const { writers, log } = members;
	const outcomes = writers[leader]?.execute(requests) ?? [];
	for (const { payload } of outcomes) {
		if (payload === null) continue;
		members.payloads++;
		// Copied, as the network would: what the leader does with its own must not matter.
		const entry: AppliedEntry = {
			position: { index: ++members.index, term: 1 },
			kind: "command",
			payload: Uint8Array.from(payload),
			configuration: null,
		};
		log.push(entry);
		for (const follower of followers) {
			const writer = writers[follower];
			if (writer !== undefined) applyReversed(writer, [entry]);
		}
	}
	if (outcomes.some(({ payload }) => payload !== null))
		writers[leader]?.commit({ index: members.index, term: 1 });
	else writers[leader]?.rollback();
	return outcomes;
}
