/** The profile with real SQLite: production's writer, readers and log formats as the state machine. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { createLogFormats } from "../../../../skein/src/database/changes/formats.ts";
import { notedTransaction } from "../../../../skein/src/database/changes/noted-transaction.ts";
import { databaseFileName, openReading } from "../../../../skein/src/database/connection.ts";
import type { WriteRequest } from "../../../../skein/src/database/database.ts";
import { digestDatabase } from "../../../../skein/src/database/digest.ts";
import { defaultLogFormat } from "../../../../skein/src/database/log-format.ts";
import {
	createFormatReader,
	createStateWriter,
	readState,
} from "../../../../skein/src/database/own-tables.ts";
import { defaultDatabaseSettings } from "../../../../skein/src/database/settings.ts";
import { mustRunAlone } from "../../../../skein/src/database/threaded-database.ts";
import { createWriter } from "../../../../skein/src/database/writer.ts";
import type { Chance } from "../../engine/chance.ts";
import { createOtherStatements, otherSchema } from "../../machine/other-statements.ts";
import { createRegisters } from "../../machine/statements.ts";
import type { Profile, Store, StoreSettings } from "../../machine/store.ts";
import { openSqliteDatabase } from "./sqlite-database.ts";
import { createSqliteEffects, isJournalled } from "./sqlite-effects.ts";
import { createSqliteFiles } from "./sqlite-files.ts";

/**
 * Every write of a register notes itself, so that the payloads tell them all, in order: of a register that
 * is written twice in a group they hold the last value only. The newest stay, which is more than a group has. Writes that
 * fire a trigger are logged as rows in any format: runs that log statements only have none (sqlite-effects.ts).
 */
const journalTriggers = ["INSERT", "UPDATE", "DELETE"].map(
	(event) =>
		`CREATE TRIGGER journal_${event} AFTER ${event} ON registers BEGIN
			INSERT INTO journal (key, value) VALUES (${event === "DELETE" ? "old.key, NULL" : "new.key, new.value"});
			DELETE FROM journal WHERE number <= (SELECT max(number) FROM journal) - 300;
		END;`,
);
const journal = `CREATE TABLE journal (number INTEGER PRIMARY KEY, key TEXT NOT NULL, value TEXT) STRICT;
${journalTriggers.join("\n")}`;
const schema = `${createRegisters};
${otherSchema}`;

/** A digest reads the whole database: one at so many indexes, the same ones on all members. */
const digestEvery = 8;

/** In memory, where there is such a place. */
const filesRoot = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const directoryName = "skein-simulator-";

function filesDirectory(): string {
	return join(filesRoot, `${directoryName}${process.pid}`);
}

/** For the end of the process: threads that were ended leave their files, and so do processes that were killed. */
export function removeSqliteFiles(): void {
	for (const name of readdirSync(filesRoot)) {
		if (!name.startsWith(directoryName)) continue;
		const pid = Number(name.slice(directoryName.length));
		if (pid === process.pid || !isAlive(pid)) rmSync(join(filesRoot, name), { recursive: true, force: true });
	}
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code !== "ESRCH";
	}
}

export function sqliteProfile(settle: () => Promise<void>): Profile {
	const underWay = new Set<Promise<unknown>>();

	function standStill<T>(work: Promise<T>): Promise<T> {
		const done = work.finally(() => underWay.delete(done));
		underWay.add(done);
		return done;
	}

	return {
		name: "sqlite",
		async settle() {
			await settle();
			while (underWay.size > 0) {
				await Promise.allSettled(underWay);
				await settle();
			}
		},
		checksum: crc32,
		createReader: (settings) => createSqliteEffects(settings.format, firstImage(settings)),
		notedIn: notedTransaction,
		mustRunAlone,
		otherStatements: ({ format }) => createOtherStatements({ registerTriggers: isJournalled(format) }),
		createStore: (chance, settings) => createStore(chance, settings, standStill),
	};
}

function createStore(
	chance: Chance,
	settings: StoreSettings,
	standStill: <T>(work: Promise<T>) => Promise<T>,
): Store {
	mkdirSync(filesDirectory(), { recursive: true });
	const files = createSqliteFiles(mkdtempSync(join(filesDirectory(), "member-")), chance.fork("power"));
	prepare(files.path, settings);
	let full = false;
	/** Of the digests. */
	let looking: DatabaseSync | null = null;
	let forget: () => void = () => {};

	function look(): DatabaseSync {
		if (looking !== null) return looking;
		const connection = openReading(files.path);
		looking = connection;
		forget = files.hold(stopLooking);
		return connection;
	}

	function stopLooking(): void {
		forget();
		looking?.close();
		looking = null;
	}

	return {
		open: ({ after, disk, device }) =>
			openSqliteDatabase({
				files,
				after,
				chance,
				disk,
				device,
				settings,
				isFull: () => full,
				beforeReplacing: stopLooking,
				standStill,
			}),
		crash: (kind) => files.crash(kind),
		wipe() {
			files.wipe();
			prepare(files.path, settings);
		},
		setFull(isFull) {
			full = isFull;
		},
		digest(isEnd = false) {
			const connection = look();
			if (!isEnd && readState(connection).applied.index % digestEvery !== 0) return null;
			const contents = digestDatabase(connection).sha256;
			// Then members are the same byte for byte.
			if (createFormatReader(connection)() !== "wal") return contents;
			return `${contents} ${createHash("sha256").update(connection.serialize()).digest("hex")}`;
		},
		registers() {
			const rows = look().prepare("SELECT key, value FROM registers").all();
			return new Map(rows.map(({ key, value }) => [String(key), String(value)]));
		},
		dispose: () => files.dispose(),
	};
}

/** A new database in which the tables of the load are, as if it had been restored on every member. */
function prepare(path: string, { format }: StoreSettings): void {
	const writer = createWriter({
		path,
		formats: createLogFormats(),
		settings: defaultDatabaseSettings,
		now: () => 0,
	});
	const connection = writer.connection();
	connection.exec(schema);
	if (isJournalled(format)) connection.exec(journal);
	if (format.first === "wal") {
		// As the change of a running cluster does it, at no index.
		writer.prepareToLead();
		writer.execute([toWal]);
		writer.commit({ index: 0, term: 0 });
	} else if (format.first !== defaultLogFormat)
		createStateWriter(connection).setting({ name: "format", value: format.first });
	writer.close();
}

const toWal: WriteRequest = {
	program: { steps: [] },
	foreignKeys: true,
	interactive: false,
	idempotencyKey: null,
	note: null,
	receivedAtMs: 0,
	timeoutMs: 0,
	setting: { name: "format", value: "wal" },
};

/** What `prepare` makes of every member. */
function firstImage(settings: StoreSettings): Uint8Array {
	mkdirSync(filesDirectory(), { recursive: true });
	const directory = mkdtempSync(join(filesDirectory(), "first-"));
	try {
		prepare(join(directory, databaseFileName), settings);
		const connection = openReading(join(directory, databaseFileName));
		const image = connection.serialize();
		connection.close();
		return image;
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}
