/**
 * Notes which rows of the noted tables a request touches: TEMP triggers write the rowid into a TEMP
 * table, on whatever way the change came (cascades and other triggers too). When the request ends
 * the rows are read as they are then; a follower puts just that state in place. So it does not
 * matter how often or in which order a row changed.
 *
 * The TEMP objects take part in the transaction: what is rolled back was never noted, and the
 * triggers themselves may be rolled back. `skein_generation` rolls back with them, so it tells which
 * schema version they were made for.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Part } from "./payload.ts";
import { keepVersion, takeVersions, versionsSetUp, versionTable } from "./row-versions.ts";
import { encodeRows, type RowReader, type RowValues, rowReader, sourceOf } from "./rows.ts";
import { type NotedTable, quoteName, readSchema, type SchemaKnowledge, schemaVersion } from "./schema.ts";

const setUp = `
CREATE TEMP TABLE IF NOT EXISTS skein_noted (number INTEGER, row INTEGER, PRIMARY KEY (number, row)) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS skein_generation (id INTEGER PRIMARY KEY, schema_version INTEGER);
INSERT OR IGNORE INTO temp.skein_generation VALUES (1, -1);
${versionsSetUp}`;

export interface NotedRows {
	/** Sees to it that the triggers fit the schema. Cheap when they do. */
	refresh(): SchemaKnowledge;
	/** From the next `refresh` on the triggers ask for each row whether to note it, or not: that costs. */
	mayPause(may: boolean): void;
	/** Runs what is captured otherwise: nothing is noted. */
	unnoted<T>(run: () => T): T;
	/** Nothing is noted until the next `refresh`. Cheap when that is so. */
	unwatch(): void;
	/** Before a change of the schema: triggers would be in its way. */
	removeTriggers(): void;
	/** Notes all rows of a table, as if each had just been written. */
	noteAll(table: string): void;
	/** Runs a statement that may write rows of any table. */
	write<T>(sql: string, run: () => T): T;
	/** The rows noted since the last call. */
	take(): Part[];
}

export function createNotedRows(connection: DatabaseSync): NotedRows {
	connection.exec("PRAGMA temp_store = MEMORY");
	connection.exec(setUp);
	const readGeneration = connection.prepare("SELECT schema_version FROM temp.skein_generation WHERE id = 1");
	const readVersion = connection.prepare("PRAGMA main.schema_version");
	const anyNoted = connection.prepare("SELECT DISTINCT number FROM temp.skein_noted ORDER BY number");
	const anyTrigger = connection.prepare("SELECT 1 FROM temp.sqlite_schema WHERE type = 'trigger' LIMIT 1");
	let knowledge: SchemaKnowledge | null = null;
	/** A statement is running that may remove rows unseen. */
	let replacing = false;
	connection.function("skein_replacing", () => (replacing ? 1 : 0));
	let pausable = false;
	let paused = false;
	connection.function("skein_noting", () => (paused ? 0 : 1));

	/** What rolls back with the triggers: for which schema they were made, and how. */
	function generationOf(version: unknown): number {
		return Number(version) * 2 + (pausable ? 1 : 0);
	}

	function refresh(): SchemaKnowledge {
		const version = readVersion.get()?.["schema_version"];
		const generation = readGeneration.get()?.["schema_version"];
		if (knowledge !== null && knowledge.version === version && generation === generationOf(version))
			return knowledge;
		removeTriggers();
		knowledge = readSchema(connection);
		for (const [number, table] of knowledge.noted.entries()) {
			if (table.uniqueExpression) connection.exec(versionTable(table, number));
			for (const trigger of triggersOf(table, number, pausable)) connection.exec(trigger);
		}
		connection
			.prepare("UPDATE temp.skein_generation SET schema_version = ? WHERE id = 1")
			.run(generationOf(schemaVersion(connection)));
		return knowledge;
	}

	function removeTriggers(): void {
		const made = connection.prepare(
			"SELECT type, name FROM temp.sqlite_schema WHERE (type = 'trigger' AND name LIKE 'skein\\_%' ESCAPE '\\') OR (type = 'table' AND name LIKE 'skein\\_versions\\_%' ESCAPE '\\')",
		);
		for (const { type, name } of made.all())
			connection.exec(`DROP ${type === "table" ? "TABLE" : "TRIGGER"} temp.${quoteName(String(name))}`);
		connection.exec("UPDATE temp.skein_generation SET schema_version = -1 WHERE id = 1");
		knowledge = null;
	}

	return {
		refresh,
		unwatch() {
			if (anyTrigger.get() !== undefined) removeTriggers();
		},
		removeTriggers,
		mayPause(may) {
			pausable = may;
		},
		unnoted(run) {
			paused = true;
			try {
				return run();
			} finally {
				paused = false;
			}
		},
		noteAll(table) {
			const number = knowledge?.noted.findIndex((one) => one.name === table) ?? -1;
			const found = knowledge?.noted[number];
			if (found === undefined) return;
			connection.exec(
				`INSERT OR IGNORE INTO temp.skein_noted SELECT ${number}, ${found.rowid} FROM main.${quoteName(table)}`,
			);
		},
		write(sql, run) {
			// Without the word REPLACE, in the statement or in a trigger, nothing is replaced.
			if (knowledge?.uniqueExpressions !== true) return run();
			if (!knowledge.triggersReplace && !/replace/i.test(sql)) return run();
			replacing = true;
			try {
				return run();
			} finally {
				replacing = false;
			}
		},
		take() {
			if (knowledge === null || knowledge.noted.length === 0) return [];
			const numbers = anyNoted.all();
			if (numbers.length === 0) return [];
			const parts: Part[] = [];
			for (const { number } of numbers) {
				const table = knowledge.noted[Number(number)];
				if (table === undefined) throw new Error("rows of an unknown table were noted");
				if (table.uniqueExpression) {
					const versions = takeVersions(connection, table, Number(number));
					if (versions.length > 0) parts.push({ type: "rows", bytes: encodeRows(table, versions) });
				}
				const touched = connection.prepare("SELECT row FROM temp.skein_noted WHERE number = ? ORDER BY row");
				touched.setReadBigInts(true);
				const read = rowReader(connection, sourceOf(table));
				const rowids = touched.all(number ?? null).map((row) => row["row"] as bigint);
				parts.push({ type: "rows", bytes: encodeRows(table, withValues(rowids, read)) });
			}
			connection.exec("DELETE FROM temp.skein_noted");
			return parts;
		},
	};
}

function* withValues(
	rowids: readonly bigint[],
	read: RowReader,
): Generator<readonly [bigint, RowValues | null]> {
	for (const rowid of rowids) yield [rowid, read(rowid)];
}

function triggersOf(table: NotedTable, number: number, pausable: boolean): string[] {
	const on = `ON main.${quoteName(table.name)}`;
	const note = (row: string): string =>
		// Not OR IGNORE: the OR FAIL or OR ABORT of the statement that fires a trigger would stand in its place.
		`INSERT INTO skein_noted VALUES (${number}, ${row}.${table.rowid}) ON CONFLICT DO NOTHING;`;
	const make = (name: string, event: string, body: string, condition?: string): string => {
		const conditions = [
			...(pausable ? ["skein_noting()"] : []),
			...(condition === undefined ? [] : [condition]),
		];
		const when = conditions.length === 0 ? "" : `WHEN ${conditions.join(" AND ")}`;
		return `CREATE TEMP TRIGGER ${quoteName(`skein_${name}_${number}`)} ${event} ${on} ${when} BEGIN ${body} END`;
	};
	const triggers = [
		make("insert", "AFTER INSERT", note("NEW")),
		make("update", "AFTER UPDATE", note("OLD") + note("NEW")),
		make("delete", "AFTER DELETE", note("OLD")),
	];
	if (table.uniqueExpression) {
		const keep = keepVersion(table, number);
		triggers.push(
			make("keep_insert", "AFTER INSERT", keep, "skein_replacing()"),
			make("keep_update", "AFTER UPDATE", keep, "skein_replacing()"),
		);
	}
	const replaced = table.uniques.map((columns) => noteReplaced(table, number, columns)).join(" ");
	if (replaced !== "") {
		// REPLACE removes the rows that are in the way without firing delete triggers (recursive_triggers is off).
		triggers.push(
			make("replace_insert", "BEFORE INSERT", replaced),
			make("replace_update", "BEFORE UPDATE", replaced),
		);
	}
	return triggers;
}

function noteReplaced(table: NotedTable, number: number, columns: NotedTable["uniques"][number]): string {
	const same = columns.map(({ name, collation, replacesNull }) => {
		const value =
			replacesNull === null
				? `NEW.${quoteName(name)}`
				: `coalesce(NEW.${quoteName(name)}, (${replacesNull}))`;
		return `${quoteName(name)} = ${value} COLLATE ${quoteName(collation)}`;
	});
	return `INSERT INTO skein_noted SELECT ${number}, ${table.rowid} FROM ${quoteName(table.name)} WHERE ${same.join(" AND ")} ON CONFLICT DO NOTHING;`;
}
