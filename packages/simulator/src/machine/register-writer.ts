/**
 * The writing connection of a register machine, without time: what database/writer.ts is for SQLite,
 * with the states of database.ts and the same rules for idempotency keys.
 */

import type { Position } from "../../../skein/src/consensus/types.ts";
import type { AppliedEntry, WriteOutcome, WriteRequest } from "../../../skein/src/database/database.ts";
import { defaultLogFormat, type LogFormat } from "../../../skein/src/database/log-format.ts";
import { createOutcomeClock, type OutcomeClock } from "../../../skein/src/database/outcome-clock.ts";
import type {
	Program,
	ProgramOutcome,
	StatementFailure,
	StatementResult,
} from "../../../skein/src/database/program.ts";
import {
	encodeSettingChange,
	readSettingChange,
	type SettingChange,
} from "../../../skein/src/database/setting-change.ts";
import type { TransactionNote } from "../../../skein/src/database/transaction-note.ts";
import type { Value } from "../history/history.ts";
import { appended } from "../history/history.ts";
import {
	type Change,
	type Content,
	decodeChanges,
	encodeChanges,
	heldChanges,
	type StoredOutcome,
} from "./register-content.ts";
import { commitTo, type RegisterFile } from "./register-file.ts";
import { type Word, words } from "./statements.ts";

export interface RegisterWriterSettings {
	/** "group": one payload for all requests of a batch, as rows are captured; "request": one for each. */
	readonly payloads: "group" | "request";
	readonly maxStoredOutcomes: number;
	readonly storedOutcomeAgeMs: number;
}

export interface RegisterWriter {
	/** As `node:sqlite` has it: something is executed and not committed. */
	readonly isTransaction: boolean;
	execute(requests: readonly WriteRequest[], behind?: boolean): WriteOutcome[];
	rollbackGroup(): void;
	abandonInteractive(): void;
	commit(applied: Position, configuration?: Content["configuration"]): void;
	rollback(): void;
	apply(entries: readonly AppliedEntry[]): void;
	prepareToLead(): LogFormat;
}

/** The open transaction: what it has changed, in order, on top of what is committed. */
interface Open {
	readonly changes: Change[];
	/** Of registers and outcomes as they were before each change. */
	readonly before: (Value | StoredOutcome | null)[];
	readonly registers: Map<string, Value>;
	readonly outcomes: Map<string, StoredOutcome | null>;
	/** Changes that are in payloads already. */
	taken: number;
	/** Of the one request that chooses it. */
	setting: SettingChange | null;
	/** Where the last group began, as a number of changes; null: there is none to take back. */
	group: number | "whole" | null;
}

/** A client's transaction over several requests: where it began, as a number of changes. */
interface Interactive {
	/** Where its first request began. */
	readonly savepoint: number;
	/** Where BEGIN stood; null: it has ended. */
	began: number | null;
}

export function createRegisterWriter(file: RegisterFile, settings: RegisterWriterSettings): RegisterWriter {
	let open: Open | null = null;
	let interactive: Interactive | null = null;
	/** null: it does not lead. */
	let clock: OutcomeClock | null = null;

	function opened(): Open {
		open ??= {
			changes: [],
			before: [],
			registers: new Map(),
			outcomes: new Map(),
			setting: null,
			taken: 0,
			group: null,
		};
		return open;
	}

	function execute(requests: readonly WriteRequest[], behind = false): WriteOutcome[] {
		if (clock === null) throw new Error("execute before prepareToLead");
		if (behind && (open === null || interactive !== null || requests.some((one) => one.interactive)))
			throw new Error("nothing to execute behind, or a request that must be alone");
		const setting = requests.find((request) => request.setting !== undefined)?.setting;
		if (setting !== undefined) return [changeSetting(setting, requests.length)];
		const current = opened();
		current.group = behind ? current.changes.length : "whole";
		const outcomes = requests.map(executeOne);
		const apart = settings.payloads === "request" || requests.some(({ note }) => note !== null);
		if (interactive !== null || apart) return outcomes;
		const payload = takePayload(null);
		return outcomes.map((outcome, place) =>
			place === outcomes.length - 1 ? { ...outcome, payload } : outcome,
		);
	}

	function changeSetting(setting: SettingChange, groupSize: number): WriteOutcome {
		if (groupSize !== 1 || open !== null) throw new Error("a change of a setting is not alone");
		const current = opened();
		current.group = "whole";
		current.setting = setting;
		const outcome: ProgramOutcome = { results: [], errors: [], autocommit: true, foreignKeys: true };
		return { outcome, payload: encodeSettingChange(setting), replayed: false };
	}

	function executeOne(request: WriteRequest): WriteOutcome {
		const { changes, outcomes } = opened();
		const { idempotencyKey } = request;
		if (idempotencyKey !== null) {
			const overlaid = outcomes.get(idempotencyKey);
			const stored = overlaid === undefined ? file.current.outcomes.get(idempotencyKey) : overlaid;
			if (stored !== null && stored !== undefined)
				return { outcome: stored.outcome, payload: null, replayed: true };
		}
		const transaction: Interactive = interactive ?? { savepoint: changes.length, began: null };
		interactive = null;
		const outcome = run(request.program, transaction);
		if (transaction.began !== null && request.interactive) {
			interactive = transaction;
			return { outcome, payload: null, replayed: false };
		}
		if (transaction.began !== null) takeBack(transaction.began);
		const ended = { ...outcome, autocommit: true };
		const changed = changes.length > transaction.savepoint || outcome.errors.every((error) => error === null);
		if (idempotencyKey !== null && changed) store(idempotencyKey, request.receivedAtMs, ended);
		const payload =
			settings.payloads === "request" || request.note !== null ? takePayload(request.note) : null;
		return { outcome: ended, payload, replayed: false };
	}

	function run(program: Program, transaction: Interactive): ProgramOutcome {
		const results: (StatementResult | null)[] = [];
		const errors: (StatementFailure | null)[] = [];
		for (const { condition, statement } of program.steps) {
			if (condition !== null) throw new Error("the register machine knows no conditions");
			const word = wordOf(statement.sql);
			const result = isControl(word)
				? control(word, transaction, opened().changes.length, takeBack)
				: runStatement(word, statement.arguments.map(textOf));
			results.push("rows" in result ? result : null);
			errors.push("rows" in result ? null : result);
		}
		return { results, errors, autocommit: transaction.began === null, foreignKeys: true };
	}

	function runStatement(word: Word, [key = null, first = null, second = null]: Value[]) {
		if (key === null) return word === "create" ? changed(0) : mustNotBeNull;
		const held = valueOf(key);
		switch (word) {
			case "read":
				return rowsOf(held);
			case "write":
				return set(key, first);
			case "remove":
				return held === null ? changed(0) : set(key, null);
			case "replace":
				return held !== null && held === first ? set(key, second) : changed(0);
			case "replace-nothing":
				return held === null ? set(key, first) : changed(0);
			case "remove-if":
				return held !== null && held === first ? set(key, null) : changed(0);
			case "append":
				return set(key, appended(held, first ?? ""));
			case "refuse":
				return mustNotBeNull;
			default:
				throw new Error(`${word} is no statement on a register`);
		}
	}

	function valueOf(key: string): Value {
		const overlaid = opened().registers.get(key);
		return overlaid === undefined ? (file.current.registers.get(key) ?? null) : overlaid;
	}

	function set(key: string, value: Value): StatementResult {
		const current = opened();
		current.before.push(valueOf(key));
		current.changes.push({ type: "register", key, value });
		current.registers.set(key, value);
		return changed(1);
	}

	function storeOne(key: string, stored: StoredOutcome | null): void {
		const current = opened();
		const overlaid = current.outcomes.get(key);
		current.before.push(overlaid === undefined ? (file.current.outcomes.get(key) ?? null) : overlaid);
		current.changes.push({ type: "outcome", key, stored });
		current.outcomes.set(key, stored);
	}

	/** As idempotency.ts: the oldest go first, by number and by age. */
	function store(key: string, receivedAtMs: number, outcome: ProgramOutcome): void {
		if (clock === null) throw new Error("an outcome is stored by who does not lead");
		const atMs = clock(receivedAtMs);
		const { outcomes } = opened();
		let last = file.current.lastOutcome;
		for (const stored of outcomes.values()) last = Math.max(last, stored?.number ?? 0);
		// In the order of their numbers.
		for (const [one, stored] of file.current.outcomes) {
			const isOld = stored.number <= last - (settings.maxStoredOutcomes - 1);
			if (!isOld && stored.atMs >= atMs - settings.storedOutcomeAgeMs) break;
			if (outcomes.get(one) === undefined) storeOne(one, null);
		}
		storeOne(key, { number: last + 1, atMs, outcome });
	}

	function newestOutcomeMs(): number {
		const numbered = file.current.lastOutcome;
		for (const { number, atMs } of file.current.outcomes.values()) if (number === numbered) return atMs;
		return 0;
	}

	/** Takes back all changes from number `length` on. */
	function takeBack(length: number): void {
		const current = opened();
		while (current.changes.length > length) {
			const change = current.changes.pop();
			const before = current.before.pop() ?? null;
			if (change?.type === "register") current.registers.set(change.key, before as Value);
			else if (change !== undefined) current.outcomes.set(change.key, before as StoredOutcome | null);
		}
	}

	function takePayload(note: TransactionNote | null): Uint8Array | null {
		const current = opened();
		const changes = current.changes.slice(current.taken);
		current.taken = current.changes.length;
		return changes.length === 0 ? null : encodeChanges(changes, note);
	}

	return {
		get isTransaction() {
			return open !== null;
		},
		execute,
		rollbackGroup() {
			if (open === null || open.group === null) throw new Error("there is no group to take back");
			interactive = null;
			if (open.group === "whole") {
				open = null;
				return;
			}
			takeBack(open.group);
			open.taken = open.group;
			open.group = null;
		},
		abandonInteractive() {
			if (interactive !== null) takeBack(interactive.savepoint);
			interactive = null;
		},
		commit(applied, configuration = null) {
			if (interactive !== null) throw new Error("commit inside a transaction");
			if (open === null && configuration !== null) {
				if (file.full) throw diskFull();
				return commitTo(file, {
					applied,
					configuration,
					acknowledgement: null,
					changes: [],
					sizeBytes: sizeOf([]),
				});
			}
			if (open === null) throw new Error("nothing to commit");
			if (open.taken !== open.changes.length) throw new Error("a commit of what no payload holds");
			const { changes, setting } = open;
			if (file.full) throw diskFull();
			open = null;
			const sizeBytes = sizeOf(changes);
			const acknowledgement = setting?.name === "acknowledgement" ? setting.value : null;
			commitTo(file, { applied, configuration, acknowledgement, changes: heldChanges(changes), sizeBytes });
		},
		rollback() {
			open = null;
			interactive = null;
		},
		apply(entries) {
			if (open !== null) throw new Error("apply inside a transaction");
			clock = null;
			if (file.full) throw diskFull();
			const last = entries.at(-1);
			if (last === undefined) return;
			let configuration: Content["configuration"] = null;
			let acknowledgement: Content["acknowledgement"] = null;
			const changes: Change[] = [];
			let { index } = file.current.applied;
			for (const entry of entries) {
				if (entry.position.index <= index) throw new Error(`entry ${entry.position.index} is applied twice`);
				({ index } = entry.position);
				const setting = entry.kind === "command" ? readSettingChange(entry.payload) : null;
				if (setting?.name === "acknowledgement") acknowledgement = setting.value;
				if (entry.kind === "command" && setting === null) changes.push(...decodeChanges(entry.payload));
				if (entry.configuration !== null) configuration = { index, value: entry.configuration };
			}
			const sizeBytes = sizeOf(changes);
			commitTo(file, {
				applied: last.position,
				configuration,
				acknowledgement,
				changes: heldChanges(changes),
				sizeBytes,
			});
		},
		prepareToLead() {
			if (open !== null) throw new Error("the writing connection is in a transaction");
			clock = createOutcomeClock(newestOutcomeMs);
			return defaultLogFormat;
		},
	};
}

/** BEGIN, COMMIT and ROLLBACK; `length` is the number of changes so far. */
function control(
	word: "begin" | "commit" | "rollback",
	transaction: Interactive,
	length: number,
	takeBack: (length: number) => void,
): StatementResult | StatementFailure {
	if (word === "begin") {
		if (transaction.began !== null) return failure("cannot start a transaction within a transaction");
		transaction.began = length;
		return changed(0);
	}
	if (transaction.began === null) return failure(`cannot ${word} - no transaction is active`);
	if (word === "rollback") takeBack(transaction.began);
	transaction.began = null;
	return changed(0);
}

/** A program on a reader: `registers` are what it sees. Returns whether a transaction is open after it. */
export function runReadOnly(
	program: Program,
	registers: ReadonlyMap<string, string>,
	began: boolean,
): { readonly outcome: ProgramOutcome; readonly began: boolean } {
	const transaction: Interactive = { savepoint: 0, began: began ? 0 : null };
	const results: (StatementResult | null)[] = [];
	const errors: (StatementFailure | null)[] = [];
	for (const { statement } of program.steps) {
		const word = wordOf(statement.sql);
		const key = textOf(statement.arguments[0] ?? null) ?? "";
		let result: StatementResult | StatementFailure;
		if (isControl(word)) result = control(word, transaction, 0, () => {});
		else if (word === "read") result = rowsOf(registers.get(key) ?? null);
		else result = { code: "SQLITE_READONLY", message: "attempt to write", extendedCode: undefined };
		results.push("rows" in result ? result : null);
		errors.push("rows" in result ? null : result);
	}
	const isOpen = transaction.began !== null;
	return { outcome: { results, errors, autocommit: !isOpen, foreignKeys: true }, began: isOpen };
}

const mustNotBeNull: StatementFailure = {
	code: "SQLITE_CONSTRAINT",
	message: "NOT NULL constraint failed: registers.value",
	extendedCode: "SQLITE_CONSTRAINT_NOTNULL",
};

function isControl(word: Word): word is "begin" | "commit" | "rollback" {
	return word === "begin" || word === "commit" || word === "rollback";
}

function wordOf(sql: string): Word {
	const word = words.get(sql);
	if (word === undefined) throw new Error(`the register machine does not know: ${sql}`);
	return word;
}

function textOf(value: unknown): Value {
	if (value === null || typeof value === "string") return value;
	throw new TypeError("registers hold texts");
}

function changed(changes: number): StatementResult {
	return { columns: [], rows: [], changes, lastInsertRowid: null };
}

function rowsOf(value: Value): StatementResult {
	return { columns: [], rows: value === null ? [] : [[value]], changes: 0, lastInsertRowid: null };
}

function failure(message: string): StatementFailure {
	return { code: "SQLITE_ERROR", message, extendedCode: undefined };
}

function sizeOf(changes: readonly Change[]): number {
	return changes.reduce(
		(sum, change) => sum + 64 + (change.type === "register" ? (change.value?.length ?? 0) : 256),
		64,
	);
}

export function diskFull(): Error {
	return Object.assign(new Error("database or disk is full"), { code: "DISK_FULL" });
}
