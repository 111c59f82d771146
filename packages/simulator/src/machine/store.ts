/**
 * What a profile gives a cluster: databases whose files outlive their process. The register profile is
 * here; the one with real SQLite needs Node and stands under command/.
 */
import type { Database, WriteRequest } from "../../../skein/src/database/database.ts";
import type { LogFormat } from "../../../skein/src/database/log-format.ts";
import { readSettingChange, type SettingChange } from "../../../skein/src/database/setting-change.ts";
import type { NotedTransaction } from "../../../skein/src/database/transaction-note.ts";
import { crc32 } from "../../../skein/src/world/crc32.ts";
import type { Disk } from "../../../skein/src/world/disk.ts";
import type { Chance } from "../engine/chance.ts";
import type { Settle } from "../engine/scheduler.ts";
import type { RegisterWrite } from "../history/effects.ts";
import type { Key, Value } from "../history/history.ts";
import type { OtherStatements } from "./other-statements.ts";
import { decodeChanges, digestOf, emptyContent, notedIn } from "./register-content.ts";
import { openRegisterDatabase } from "./register-database.ts";
import { createRegisterFile, losePower, replaceContent } from "./register-file.ts";
import type { After, Device } from "./work-queue.ts";

export interface Store {
	open(life: { readonly after: After; readonly disk: Disk; readonly device: Device }): Database;
	/** The process is gone, and with "power" what the operating system had. */
	crash(kind: "kill" | "power"): void;
	/** Another disk, empty. The process is gone. */
	wipe(): void;
	setFull(full: boolean): void;
	/** Of what is committed; null: too dear to know at every index. At the end it is wanted whatever it costs. */
	digest(isEnd?: boolean): string | null;
	registers(): ReadonlyMap<Key, Value>;
	/** Removes what it needs outside of the simulated world. */
	dispose(): void;
}

export interface StoreSettings {
	readonly payloads: "group" | "request";
	readonly executeMs: number;
	readonly readMs: number;
	/** Longer than a client goes on trying, shorter than clocks are wrong. */
	readonly storedOutcomeAgeMs: number;
	/** Of SQLite; the register machine takes transactions of any size. */
	readonly maxTransactionBytes: number;
	readonly format: FormatSettings;
}

/** The log format of a run, in profiles that have one. */
export interface FormatSettings {
	readonly first: LogFormat;
	/** Between two changes, on average; null: it stays. */
	readonly changesEveryMs: number | null;
}

/** What a committed entry does. */
export interface EntryContent {
	/** What it writes to registers, in order. */
	readonly writes: readonly RegisterWrite[];
	/** What it chooses for the database; null: nothing. */
	readonly setting: SettingChange | null;
}

export interface Profile {
	readonly name: "registers" | "sqlite";
	readonly settle: Settle;
	/** CRC-32: the platform's is faster than that of world/crc32.ts. */
	readonly checksum: Disk["checksum"];
	/** Reads the payloads of a run's committed entries, one after the other: so what was committed can be read from the log. */
	createReader(settings: StoreSettings): (payload: Uint8Array) => EntryContent;
	/** As production's, of this profile's payloads. */
	notedIn(payload: Uint8Array, isWhole: boolean): NotedTransaction | null;
	/** As production's: what cannot share a transaction with others. */
	mustRunAlone(request: WriteRequest): boolean;
	/** For clients to send besides; null: there is nothing but registers. */
	otherStatements(settings: StoreSettings): OtherStatements | null;
	createStore(chance: Chance, settings: StoreSettings): Store;
}

/** Stored outcomes must outlive all tries of a request, as they do in production. */
export const maxStoredOutcomes = 2_000;

export function registersProfile(settle: Settle, checksum: Disk["checksum"] = crc32): Profile {
	return {
		name: "registers",
		settle,
		checksum,
		createReader: () => entryContent,
		notedIn,
		// Foreign keys are what it is about, and registers have none.
		mustRunAlone: () => false,
		otherStatements: () => null,
		createStore(chance, settings) {
			const file = createRegisterFile();
			return {
				open: ({ after, disk, device }) =>
					openRegisterDatabase({
						file,
						after,
						chance,
						disk,
						device,
						settings: { ...settings, maxStoredOutcomes },
					}),
				crash(kind) {
					if (kind === "power") losePower(file, chance);
				},
				wipe: () => replaceContent(file, emptyContent()),
				setFull(full) {
					file.full = full;
				},
				digest: () => digestOf(file.current),
				registers: () => file.current.registers,
				dispose() {},
			};
		},
	};
}

function entryContent(payload: Uint8Array): EntryContent {
	const setting = readSettingChange(payload);
	return { writes: setting === null ? writesIn(payload) : [], setting };
}

function writesIn(payload: Uint8Array): RegisterWrite[] {
	return decodeChanges(payload).flatMap((change) =>
		change.type === "register" ? [{ key: change.key, value: change.value }] : [],
	);
}
