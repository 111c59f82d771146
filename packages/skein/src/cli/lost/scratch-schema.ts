/**
 * The schema that a replay meets, statement by statement: that of the cluster, made anew in memory, and then what the
 * lost transaction itself changed of it. So the rows of a table that it created have columns.
 */
import { DatabaseSync } from "node:sqlite";

/** An action of a foreign key that may change rows of `child` when a row of the table it refers to goes or changes. */
export interface ForeignKeyAction {
	readonly child: string;
	/** Pairs: of the child, of the table that it refers to. */
	readonly columns: readonly (readonly [string, string])[];
	readonly onDelete: boolean;
	readonly onUpdate: boolean;
}

export interface ScratchSchema extends Disposable {
	run(sql: string): void;
	/** In order, without generated ones. */
	columnsOf(table: string): readonly string[];
	triggerOf(table: string): string | null;
	/** It is a virtual table, or one in which a virtual table keeps its own. */
	isVirtual(table: string): boolean;
	actionsOn(table: string): readonly ForeignKeyAction[];
}

/** `statements`: sqlite_schema of the cluster, tables before all else. */
export function createScratchSchema(statements: readonly string[]): ScratchSchema {
	const connection = new DatabaseSync(":memory:");
	for (const sql of statements) connection.exec(sql);
	const all = (sql: string, ...values: string[]): Record<string, unknown>[] =>
		connection.prepare(sql).all(...values) as Record<string, unknown>[];
	const columnsOf = (table: string, where: string): string[] =>
		all(`SELECT name FROM pragma_table_xinfo(?) WHERE ${where}`, table).map(({ name }) => String(name));

	function actionsOf(child: string, table: string): ForeignKeyAction[] {
		const rows = all(
			`SELECT id, "from", "to", on_delete, on_update FROM pragma_foreign_key_list(?)
			WHERE "table" = ? COLLATE NOCASE ORDER BY id, seq`,
			child,
			table,
		);
		// A key that names no columns refers to the primary key.
		const primary = columnsOf(table, "pk > 0 ORDER BY pk");
		return [...Map.groupBy(rows, ({ id }) => id).values()].map((columns) => ({
			child,
			columns: columns.map(
				({ from, to }, place) =>
					[String(from), typeof to === "string" ? to : (primary[place] ?? "rowid")] as const,
			),
			onDelete: acts(columns[0]?.["on_delete"]),
			onUpdate: acts(columns[0]?.["on_update"]),
		}));
	}

	return {
		run: (sql) => connection.exec(sql),
		columnsOf: (table) => columnsOf(table, "hidden = 0 ORDER BY cid"),
		triggerOf(table) {
			const [trigger] = all(
				"SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE",
				table,
			);
			return trigger === undefined ? null : String(trigger["name"]);
		},
		isVirtual: (table) =>
			all(
				"SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE AND type IN ('virtual', 'shadow')",
				table,
			).length > 0,
		actionsOn(table) {
			const tables = all(
				"SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
			);
			return tables
				.flatMap(({ name }) => actionsOf(String(name), table))
				.filter(({ onDelete, onUpdate }) => onDelete || onUpdate);
		},
		[Symbol.dispose]: () => connection.close(),
	};
}

const acts = (action: unknown): boolean => action !== "NO ACTION" && action !== "RESTRICT";

/** What `createScratchSchema` is to be given, as one statement. A virtual table makes its own tables itself. */
export const schemaQuery = `SELECT sql FROM sqlite_schema AS s
	WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~' AND name NOT LIKE 'skein~_%' ESCAPE '~'
	AND NOT EXISTS (SELECT 1 FROM pragma_table_list AS t WHERE t.schema = 'main' AND t.name = s.name AND t.type = 'shadow')
	ORDER BY type <> 'table', type <> 'view', type <> 'index', rowid`;
