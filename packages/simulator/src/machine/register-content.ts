/**
 * What a register machine holds: registers, outcomes by idempotency key, and with them, changed in the
 * same step, the applied position and the configuration. The digest is kept as it changes.
 */
import type { Acknowledgement } from "../../../skein/src/consensus/acknowledge/acknowledgement.ts";
import type { Configuration, LogIndex, Position } from "../../../skein/src/consensus/types.ts";
import type { ProgramOutcome } from "../../../skein/src/database/program.ts";
import { readSettingChange } from "../../../skein/src/database/setting-change.ts";
import type {
	NotedChange,
	NotedTransaction,
	TransactionNote,
} from "../../../skein/src/database/transaction-note.ts";
import type { Key, Value } from "../history/history.ts";

/** To make one costs more than to decode a small payload. */
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface StoredOutcome {
	/** Grows with every stored outcome: the oldest go first. */
	readonly number: number;
	readonly atMs: number;
	readonly outcome: ProgramOutcome;
}

/** With a hash of all of it, made once: it enters the digests of two contents, and leaves them. */
export interface HeldOutcome extends StoredOutcome {
	readonly digest: number;
}

/** null: removed. */
export type Change =
	| { readonly type: "register"; readonly key: Key; readonly value: Value }
	| { readonly type: "outcome"; readonly key: string; readonly stored: StoredOutcome | null };

type HeldChange =
	| Extract<Change, { type: "register" }>
	| { readonly type: "outcome"; readonly key: string; readonly stored: HeldOutcome | null };

/** What one commit changes, all of it or nothing. */
export interface Commit {
	readonly applied: Position;
	readonly configuration: { readonly index: LogIndex; readonly value: Configuration } | null;
	readonly changes: readonly HeldChange[];
	/** The mode of writes that name none; null: it stays. */
	readonly acknowledgement: Acknowledgement | null;
	readonly sizeBytes: number;
}

export interface Content {
	readonly registers: Map<Key, string>;
	/** In the order of their numbers. */
	readonly outcomes: Map<string, HeldOutcome>;
	/** The highest number that any of them has. */
	lastOutcome: number;
	applied: Position;
	configuration: Commit["configuration"];
	acknowledgement: Acknowledgement | null;
	/** Of all but the position; order does not matter. */
	digest: { high: number; low: number };
}

export function emptyContent(): Content {
	return {
		registers: new Map(),
		outcomes: new Map(),
		lastOutcome: 0,
		applied: { term: 0, index: 0 },
		configuration: null,
		acknowledgement: null,
		digest: { high: 0, low: 0 },
	};
}

export function copyOf(content: Content): Content {
	return {
		...content,
		registers: new Map(content.registers),
		outcomes: new Map(content.outcomes),
		digest: { ...content.digest },
	};
}

export function carryOut(content: Content, commit: Commit): void {
	for (const change of commit.changes) {
		if (change.type === "register") {
			const before = content.registers.get(change.key);
			if (before !== undefined) mixInto(content, "r", change.key, before);
			if (change.value === null) content.registers.delete(change.key);
			else {
				content.registers.set(change.key, change.value);
				mixInto(content, "r", change.key, change.value);
			}
			continue;
		}
		const before = content.outcomes.get(change.key);
		if (before !== undefined) mixInto(content, "o", change.key, String(before.digest));
		content.outcomes.delete(change.key);
		if (change.stored !== null) {
			content.outcomes.set(change.key, change.stored);
			content.lastOutcome = Math.max(content.lastOutcome, change.stored.number);
			mixInto(content, "o", change.key, String(change.stored.digest));
		}
	}
	content.applied = commit.applied;
	if (commit.configuration !== null) configure(content, commit.configuration);
	if (commit.acknowledgement !== null) choose(content, commit.acknowledgement);
}

/** For a commit. */
export function heldChanges(changes: readonly Change[]): HeldChange[] {
	return changes.map((change) => {
		if (change.type === "register") return change;
		const { key, stored } = change;
		return { type: "outcome", key, stored: stored === null ? null : held(stored) };
	});
}

function held({ number, atMs, outcome }: StoredOutcome): HeldOutcome {
	return { number, atMs, outcome, digest: hash(0x811c9dc5, JSON.stringify([number, atMs, outcome])) };
}

function configure(content: Content, configuration: NonNullable<Commit["configuration"]>): void {
	const before = content.configuration;
	if (before !== null) mixInto(content, "c", "", JSON.stringify(before));
	content.configuration = configuration;
	mixInto(content, "c", "", JSON.stringify(configuration));
}

function choose(content: Content, acknowledgement: Acknowledgement): void {
	const before = content.acknowledgement;
	if (before !== null) mixInto(content, "m", "", JSON.stringify(before));
	content.acknowledgement = acknowledgement;
	mixInto(content, "m", "", JSON.stringify(acknowledgement));
}

export function digestOf({ digest }: Content): string {
	return (digest.high >>> 0).toString(16) + (digest.low >>> 0).toString(16).padStart(8, "0");
}

/** Sums do not depend on the order, and what is mixed in twice goes out again: an exclusive or of hashes. */
function mixInto({ digest }: Content, kind: string, key: string, value: string): void {
	let high = hash(0x811c9dc5, kind);
	high = hash(hash(high, key), value);
	const low = hash(hash(high ^ 0x5bd1e995, value), key);
	digest.high ^= Math.imul(high ^ (high >>> 15), 0x2c1b3c6d);
	digest.low ^= Math.imul(low ^ (low >>> 13), 0x297a2d39);
}

function hash(seed: number, text: string): number {
	let value = seed ^ text.length;
	for (let place = 0; place < text.length; place++) {
		value = Math.imul(value ^ text.charCodeAt(place), 0x01000193);
	}
	return value;
}

interface Written {
	readonly applied: Position;
	readonly configuration: Commit["configuration"];
	readonly acknowledgement: Acknowledgement | null;
	readonly registers: readonly (readonly [string, string])[];
	readonly outcomes: readonly (readonly [string, StoredOutcome])[];
}

export function encodeContent(content: Content): Uint8Array {
	const { applied, configuration, acknowledgement, registers, outcomes } = content;
	const written: Written = {
		applied,
		configuration,
		acknowledgement,
		registers: [...registers],
		outcomes: [...outcomes].map(([key, { number, atMs, outcome }]) => [key, { number, atMs, outcome }]),
	};
	return encoder.encode(JSON.stringify(written));
}

export function decodeContent(bytes: Uint8Array): Content {
	const written = JSON.parse(decoder.decode(bytes)) as Written;
	const content = emptyContent();
	const changes: Change[] = [
		...written.registers.map(([key, value]) => ({ type: "register" as const, key, value })),
		...written.outcomes.map(([key, stored]) => ({ type: "outcome" as const, key, stored })),
	];
	const { applied, configuration, acknowledgement } = written;
	carryOut(content, { applied, configuration, acknowledgement, changes: heldChanges(changes), sizeBytes: 0 });
	return content;
}

/** As in production: first who sent it, if that must be known, then what it changed. */
export function encodeChanges(changes: readonly Change[], note: TransactionNote | null): Uint8Array {
	return encoder.encode(JSON.stringify({ note, changes }));
}

export function decodeChanges(payload: Uint8Array): Change[] {
	return decode(payload).changes;
}

/** Null: nobody sent it who would have to be told of its loss. */
export function notedIn(payload: Uint8Array): NotedTransaction | null {
	// As in production: a setting is never answered early (seed 238215841: what was cut with it went unreported).
	if (readSettingChange(payload) !== null) return null;
	const { note, changes } = decode(payload);
	if (note === null) return null;
	const noted = changes.flatMap((change): NotedChange[] =>
		change.type === "outcome"
			? []
			: [{ operation: "insert", table: "registers", key: [0], row: [change.key, change.value] }],
	);
	return { note, changes: noted, isCut: false };
}

function decode(payload: Uint8Array): { readonly note: TransactionNote | null; readonly changes: Change[] } {
	return JSON.parse(decoder.decode(payload));
}

/** Stands for the SHA-256 of a snapshot file, which is Node's here: 64 hexadecimal digits, not secure. */
export function fingerprint(bytes: Uint8Array): string {
	let high = 0x9e3779b9 ^ bytes.length;
	let low = 0x5bd1e995 ^ bytes.length;
	for (const byte of bytes) {
		high = Math.imul(high ^ byte, 0x01000193);
		low = Math.imul(low ^ byte, 0x0100019b);
	}
	const words = [high, low].map((word) => ((word ^ (word >>> 15)) >>> 0).toString(16).padStart(8, "0"));
	return words.join("").repeat(4);
}
