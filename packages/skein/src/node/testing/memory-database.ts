/**
 * A Database that keeps a list of texts: `INSERT …` appends its first argument, `SELECT …` gives all.
 * It has the states of the real one (database.ts) and refuses what that refuses.
 */
import { createHash } from "node:crypto";
import type { Acknowledgement } from "../../consensus/acknowledge/acknowledgement.ts";
import type { Configuration, LogIndex, Position } from "../../consensus/types.ts";
import type { Database, DatabaseState } from "../../database/database.ts";
import { defaultLogFormat, type LogFormat } from "../../database/log-format.ts";
import type { Program, ProgramOutcome, StatementFailure, StatementResult } from "../../database/program.ts";
import { encodeSettingChange, readSettingChange, type SettingChange } from "../../database/setting-change.ts";
import type { Disk } from "../../world/disk.ts";

interface Content {
	readonly applied: Position;
	readonly configuration: { readonly index: LogIndex; readonly value: Configuration } | null;
	readonly items: readonly string[];
	/** Absent: nobody chose one. */
	readonly format?: LogFormat;
	readonly acknowledgement?: Acknowledgement;
}

/** What outlives the process. */
export interface DatabaseFile {
	content: Content;
	/** The next commit or apply fails with this. */
	failure: Error | null;
	/** Whatever is executed fails with this, as where a capture has to write. */
	captureFailure: Error | null;
	/** The next commit or apply happens, and is told to have failed with this. */
	lateFailure: Error | null;
	/** An apply that changes a setting happens up to there, and fails with this if more comes behind it: as if each were a transaction of its own. */
	failureBehindSetting: Error | null;
	/** Commits, what is applied, and checkpoints wait for this. */
	hanging: Promise<void> | null;
	/** What SQLite's write-ahead file would have. */
	walBytes: number;
	/** How many were made. */
	checkpoints: number;
	/** The next one fails with this. */
	checkpointFailure: Error | null;
	/** An entry that holds this text cannot be applied here, ever. */
	unfitFor: string | null;
	openReads: number;
}

export function createDatabaseFile(): DatabaseFile {
	return {
		content: { applied: { term: 0, index: 0 }, configuration: null, items: [] },
		failure: null,
		captureFailure: null,
		lateFailure: null,
		failureBehindSetting: null,
		hanging: null,
		walBytes: 0,
		checkpoints: 0,
		checkpointFailure: null,
		unfitFor: null,
		openReads: 0,
	};
}

export function openMemoryDatabase(file: DatabaseFile, disk: Disk): Database {
	/** Since BEGIN of the open SQLite transaction; null: idle. */
	let open: string[] | null = null;
	/** A change of a setting that is not committed yet. */
	let openSetting: SettingChange | null = null;
	/** Length of `open` where the interactive transaction began. */
	let interactive: number | null = null;
	/** Length of `open` where the last group began, if it began behind another; null: there is none to take back. */
	let group: number | "whole" | null = null;
	let leads = false;
	let snapshots = 0;

	function failWhenTold(): void {
		const { failure } = file;
		file.failure = null;
		if (failure !== null) throw failure;
	}

	function failLate(): void {
		const { lateFailure } = file;
		file.lateFailure = null;
		if (lateFailure !== null) throw lateFailure;
	}

	function run(
		program: Program,
		items: string[],
		began: number | null,
	): { outcome: ProgramOutcome; began: number | null } {
		let start = began;
		const results: (StatementResult | null)[] = [];
		const errors: (StatementFailure | null)[] = [];
		for (const { statement } of program.steps) {
			const word = statement.sql.split(" ")[0];
			let error: string | null = null;
			if (word === "BEGIN") {
				if (start !== null) error = "cannot start a transaction within a transaction";
				else start = items.length;
			} else if (word === "COMMIT" || word === "ROLLBACK") {
				if (start === null) error = `cannot ${word} - no transaction is active`;
				else if (word === "ROLLBACK") items.length = start;
				start = null;
			} else if (word === "INSERT") items.push(String(statement.arguments[0]));
			results.push(error === null ? resultOf(word === "SELECT" ? items : []) : null);
			errors.push(error === null ? null : { code: "SQLITE_ERROR", message: error, extendedCode: undefined });
		}
		return { outcome: { results, errors, autocommit: start === null, foreignKeys: true }, began: start };
	}

	const state = (): DatabaseState => ({
		applied: file.content.applied,
		configuration: file.content.configuration,
		acknowledgement: file.content.acknowledgement ?? null,
	});

	return {
		opened: state(),
		async execute(requests, behind = false) {
			if (!leads) throw new Error("execute before prepareToLead");
			if (file.captureFailure !== null) throw file.captureFailure;
			if (behind && (open === null || interactive !== null || requests.some((one) => one.interactive)))
				throw new Error("nothing to execute behind, or a request that must be alone");
			group = behind ? (open?.length ?? 0) : "whole";
			return requests.map(({ program, interactive: mayStay, setting }) => {
				open ??= [...file.content.items];
				if (setting !== undefined) {
					if (requests.length > 1) throw new Error("a change of a setting is not alone");
					openSetting = setting;
					const payload = encodeSettingChange(setting);
					return { outcome: run(program, open, null).outcome, payload, replayed: false };
				}
				const before = open.length;
				const { outcome, began } = run(program, open, interactive);
				const start = interactive ?? before;
				interactive = null;
				if (!outcome.autocommit && mayStay) {
					interactive = began;
					return { outcome, payload: null, replayed: false };
				}
				if (!outcome.autocommit) open.length = before;
				const added = open.slice(start);
				const payload = added.length === 0 ? null : new TextEncoder().encode(JSON.stringify(added));
				return { outcome: { ...outcome, autocommit: true }, payload, replayed: false };
			});
		},
		async rollbackGroup() {
			if (group === null) throw new Error("there is no group to take back");
			if (group === "whole") {
				open = null;
				openSetting = null;
			} else open?.splice(group);
			group = null;
			interactive = null;
		},
		async abandonInteractive() {
			if (interactive !== null) open?.splice(interactive);
			interactive = null;
		},
		async commit(applied, configuration = null) {
			if (configuration !== null) open ??= [...file.content.items];
			if (open === null || interactive !== null) throw new Error("nothing to commit");
			if (file.hanging !== null) await file.hanging;
			failWhenTold();
			file.content = {
				...file.content,
				applied,
				configuration: configuration ?? file.content.configuration,
				items: open,
				...(openSetting === null ? {} : { [openSetting.name]: openSetting.value }),
			};
			open = null;
			openSetting = null;
			group = null;
			failLate();
		},
		hurry() {},
		async rollback() {
			open = null;
			openSetting = null;
			group = null;
			interactive = null;
		},
		async apply(entries) {
			if (open !== null) throw new Error("apply inside a transaction");
			leads = false;
			if (file.hanging !== null) await file.hanging;
			failWhenTold();
			let { applied, configuration } = file.content;
			let settings: Partial<Content> = {};
			const items = [...file.content.items];
			for (const entry of entries) {
				const { failureBehindSetting } = file;
				if (failureBehindSetting !== null && Object.keys(settings).length > 0) {
					file.content = { ...file.content, ...settings, applied, configuration, items };
					file.failureBehindSetting = null;
					throw failureBehindSetting;
				}
				if (entry.position.index <= applied.index) throw new Error("applied twice");
				applied = entry.position;
				const setting = entry.kind === "command" ? readSettingChange(entry.payload) : null;
				const added = entry.kind === "command" && setting === null ? decode(entry.payload) : [];
				if (setting !== null) settings = { ...settings, [setting.name]: setting.value };
				if (file.unfitFor !== null && added.includes(file.unfitFor)) throw new Error("SQL logic error");
				items.push(...added);
				if (entry.configuration !== null)
					configuration = { index: entry.position.index, value: entry.configuration };
			}
			file.content = { ...file.content, ...settings, applied, configuration, items };
			failLate();
		},
		async applied() {
			return file.content.applied;
		},
		async prepareToLead() {
			leads = true;
			return file.content.format ?? defaultLogFormat;
		},
		async read(program) {
			const { applied, items } = file.content;
			return { outcome: run(program, [...items], null).outcome, applied, ranMs: 0 };
		},
		async beginRead() {
			const { applied, items } = file.content;
			let began: number | null = null;
			let isOpen = true;
			file.openReads++;
			return {
				applied,
				async run(program) {
					const ran = run(program, [...items], began);
					began = ran.began;
					return ran.outcome;
				},
				describe: () => Promise.reject(new Error("not here")),
				async close() {
					if (isOpen) file.openReads--;
					isOpen = false;
				},
			};
		},
		describe: () => Promise.reject(new Error("not here")),
		explain: () => Promise.reject(new Error("not here")),
		format: async () => file.content.format ?? defaultLogFormat,
		async checkpoint() {
			if (open !== null) throw new Error("a checkpoint inside a transaction");
			if (file.hanging !== null) await file.hanging;
			const { checkpointFailure } = file;
			file.checkpointFailure = null;
			if (checkpointFailure !== null) throw checkpointFailure;
			file.checkpoints++;
			return file.content.applied.index;
		},
		walBytes: () => file.walBytes,
		async createSnapshot() {
			const { applied, configuration } = file.content;
			if (configuration === null) throw new Error("no configuration yet");
			const bytes = new TextEncoder().encode(JSON.stringify(file.content));
			const path = `snapshots/made-${snapshots++}`;
			await disk.makeDirectory("snapshots");
			const target = await disk.open(path, { create: true });
			await target.write(0, [bytes]);
			await target.close();
			return { path, applied, configuration, sizeBytes: bytes.length, sha256: hashOf(bytes) };
		},
		async installSnapshot(path, sha256) {
			if (open !== null) throw new Error("a snapshot inside a transaction");
			const source = await disk.open(path, { create: false });
			const bytes = await source.read(0, await source.size());
			await source.close();
			if (hashOf(bytes) !== sha256) throw new Error("the snapshot is damaged");
			file.content = JSON.parse(new TextDecoder().decode(bytes)) as Content;
			return state();
		},
		async close() {},
	};
}

/** What was inserted. */
function decode(payload: Uint8Array): string[] {
	return JSON.parse(new TextDecoder().decode(payload)) as string[];
}

function hashOf(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("hex");
}

function resultOf(items: readonly string[]): StatementResult {
	return { columns: [], rows: items.map((item) => [item]), changes: 0, lastInsertRowid: null };
}
