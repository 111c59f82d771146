/**
 * What committed entries did to registers, from their payloads. Rows tell it by the journal that every write keeps; where
 * there is none, writes are logged as statements, which are carried out here once more, on a map.
 *
 * Checked besides: an entry is in the format that was chosen before it.
 */
import { readChanges } from "../../../../skein/src/database/changes/changeset.ts";
import type { LoggedStatement } from "../../../../skein/src/database/changes/logged-statement.ts";
import { decodePayload, formatOf, isInPages } from "../../../../skein/src/database/changes/payload.ts";
import { readSettingChange } from "../../../../skein/src/database/setting-change.ts";
import type { RegisterWrite } from "../../history/effects.ts";
import { words } from "../../machine/statements.ts";
import type { EntryContent, FormatSettings } from "../../machine/store.ts";
import { must } from "../../properties/property.ts";
import { createLoggedImage } from "./logged-image.ts";

/** One register is written twice in a group, and its row tells of the last only: then each write notes itself. */
export function isJournalled({ first, changesEveryMs }: FormatSettings): boolean {
	return first !== "statement" || changesEveryMs !== null;
}

/** For the committed entries of one run, in their order. */
export function createSqliteEffects(
	settings: FormatSettings,
	/** What every member's database is at first. */
	before: Uint8Array,
): (payload: Uint8Array) => EntryContent {
	const table = isJournalled(settings) ? "journal" : "registers";
	let format = settings.first;
	const registers = new Map<string, string>();
	const image = createLoggedImage(before);
	/** Of the journal's rows the last one that is known. */
	let noted = 0;

	function note(write: RegisterWrite): RegisterWrite {
		if (write.value === null) registers.delete(write.key);
		else registers.set(write.key, write.value);
		return write;
	}

	/** Pages tell it by the journal that they hold. */
	function writesInPages(payload: Uint8Array): EntryContent {
		const isChoice = image.apply(payload);
		must(format === "wal" || isChoice, "log format", () => `an entry in wal behind the choice of ${format}`);
		format = "wal";
		const rows = image.query(
			"SELECT number, key, value FROM journal WHERE number > ? ORDER BY number",
			noted,
		);
		noted = Number(rows.at(-1)?.["number"] ?? noted);
		// With all that it had in another format.
		if (isChoice) return { writes: [], setting: { name: "format", value: "wal" } };
		const writes = rows.map(({ key, value }) =>
			note({ key: String(key), value: typeof value === "string" ? value : null }),
		);
		return { writes, setting: readSettingChange(payload) };
	}

	/** Null: it is of no register, or changed none. */
	function writeBy({ sql, values, changes }: LoggedStatement): RegisterWrite | null {
		const word = words.get(sql);
		if (word === undefined || changes === 0) return null;
		const [key = "", second = "", third = ""] = values.map(String);
		switch (word) {
			case "write":
			case "replace-nothing":
				return { key, value: second };
			case "replace":
				return { key, value: third };
			case "append":
				return { key, value: `${registers.get(key) ?? ""}${second};` };
			case "remove":
			case "remove-if":
				return { key, value: null };
			default:
				throw new Error(`${word} was logged as a statement`);
		}
	}

	return (payload) => {
		if (isInPages(payload)) return writesInPages(payload);
		const setting = readSettingChange(payload);
		if (setting !== null) {
			if (setting.name === "format") format = setting.value;
			return { writes: [], setting };
		}
		must(
			formatOf(payload) === format,
			"log format",
			() => `an entry in ${formatOf(payload)} behind the choice of ${format}`,
		);
		const writes: RegisterWrite[] = [];
		for (const part of decodePayload(payload)) {
			if (part.type === "changeset") writes.push(...rowsOf(part.bytes, table).map(note));
			if (part.type !== "statement") continue;
			const write = writeBy(part.statement);
			if (write !== null) writes.push(note(write));
		}
		return { writes, setting: null };
	};
}

function rowsOf(changeset: Uint8Array, table: "journal" | "registers"): RegisterWrite[] {
	const found: { readonly number: bigint; readonly write: RegisterWrite }[] = [];
	for (const change of readChanges(changeset)) {
		if (change.table !== table) continue;
		const { old, new: fresh } = change;
		if (table === "registers") {
			const key = textOf((fresh?.[0] ?? old?.[0])?.value) ?? "";
			found.push({ number: 0n, write: { key, value: fresh === null ? null : textOf(fresh[1]?.value) } });
		} else if (old === null && fresh !== null) {
			const [number, key, value] = fresh.map((one) => one?.value ?? null);
			found.push({
				number: BigInt(number as bigint),
				write: { key: textOf(key) ?? "", value: textOf(value) },
			});
		}
	}
	return found.toSorted((one, other) => Number(one.number - other.number)).map(({ write }) => write);
}

/** Text is bytes in a changeset. */
function textOf(value: unknown): string | null {
	return value instanceof Uint8Array ? new TextDecoder().decode(value) : null;
}
