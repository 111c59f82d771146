/** Random SQL: indexes, views, triggers, and changes of tables that are there. */
import type { Chance } from "./random-sql-chance.ts";
import { expression, literal, settledExpression } from "./random-sql-expressions.ts";
import {
	type Dependent,
	freshObject,
	names,
	type Schema,
	type SchemaChange,
	settable,
	type Table,
} from "./random-sql-schema.ts";

/** One statement on a table, with the columns of the row that fired the trigger as values. */
export type TriggerStatement = (table: Table, values: readonly string[]) => string;

/** More of them, and each row sets off a storm. */
const maxTriggers = 5;
const maxTables = 9;

function replaceTable(schema: Schema, name: string, table: Table | null): Schema {
	const tables = schema.tables.flatMap((one) => (one.name !== name ? [one] : table === null ? [] : [table]));
	const dependents = schema.dependents.flatMap((one) =>
		one.table !== name ? [one] : table === null ? [] : [{ ...one, table: table.name }],
	);
	return { ...schema, tables, dependents };
}

function withDependent(schema: Schema, counter: number, dependent: Dependent): Schema {
	return { ...schema, counter, dependents: [...schema.dependents, dependent] };
}

function ordinary(schema: Schema): Table[] {
	return schema.tables.filter((table) => table.kind === "table");
}

export function tooManyTables(schema: Schema): boolean {
	return schema.tables.length >= maxTables;
}

export function createIndex(chance: Chance, schema: Schema): SchemaChange | null {
	if (ordinary(schema).length === 0) return null;
	const table = chance.pick(ordinary(schema));
	const { name, counter } = freshObject(chance, schema, "i");
	const columns = names(table.columns);
	const unique = chance.happens(0.6);
	const partial = chance.happens(0.25)
		? ` WHERE ${chance.pick(columns)} ${chance.pick(["IS NOT NULL", "> 2", "= 'a'"])}`
		: "";
	const byColumns = chance.happens(0.6);
	const indexed = chance.some(columns, 1).slice(0, 2);
	const keys = byColumns
		? indexed.map((column) => `${column}${chance.pick(["", "", " COLLATE NOCASE", " DESC"])}`)
		: [settledExpression(chance, columns), ...(chance.happens(0.2) ? [chance.pick(columns)] : [])];
	const uniques = unique && byColumns && partial === "" ? [...table.uniques, indexed] : table.uniques;
	const changed = replaceTable(schema, table.name, { ...table, uniques });
	return {
		sql: `CREATE ${unique ? "UNIQUE " : ""}INDEX ${name} ON ${table.name} (${keys.join(", ")})${partial}`,
		schema: withDependent(changed, counter, { kind: "index", name, table: table.name }),
	};
}

export function createView(chance: Chance, schema: Schema): SchemaChange | null {
	if (ordinary(schema).length === 0) return null;
	const table = chance.pick(ordinary(schema));
	const { name, counter } = freshObject(chance, schema, "w");
	const shown = settable(table);
	return {
		sql: `CREATE VIEW ${name} AS SELECT ${names(shown).join(", ")} FROM ${table.name}`,
		schema: withDependent(schema, counter, { kind: "view", name, table: table.name }),
	};
}

export function createTrigger(
	chance: Chance,
	schema: Schema,
	statement: TriggerStatement,
): SchemaChange | null {
	if (schema.dependents.filter(({ kind }) => kind === "trigger").length >= maxTriggers) return null;
	if (ordinary(schema).length === 0) return null;
	const views = schema.dependents.filter(({ kind }) => kind === "view");
	const view = chance.happens(0.35) && views.length > 0 ? chance.pick(views) : null;
	const table =
		view === null ? chance.pick(ordinary(schema)) : schema.tables.find(({ name }) => name === view.table);
	if (table === undefined) return null;
	const { name, counter } = freshObject(chance, schema, "r");
	const event = chance.pick(["INSERT", "UPDATE", "DELETE"]);
	const columns = names(view === null ? table.columns : settable(table));
	const of = event === "UPDATE" && chance.happens(0.3) ? `UPDATE OF ${chance.pick(columns)}` : event;
	const row = event === "INSERT" ? "new" : event === "DELETE" ? "old" : chance.pick(["old", "new"]);
	const values = columns.map((column) => `${row}.${column}`);
	const when = chance.happens(0.3)
		? ` WHEN ${chance.pick(values)} ${chance.pick(["IS NOT NULL", "> 1", "IS NOT 'a'"])}`
		: "";
	const body = Array.from({ length: 1 + chance.below(2) }, () =>
		chance.happens(0.07)
			? `SELECT RAISE(${chance.pick(["IGNORE", "ABORT, 'no'", "FAIL, 'no'"])}) WHERE ${chance.pick(values)} = ${literal(chance)}`
			: statement(view === null || chance.happens(0.4) ? chance.pick(schema.tables) : table, values),
	);
	const time = view === null ? chance.pick(["BEFORE", "AFTER", "AFTER"]) : "INSTEAD OF";
	return {
		sql: `CREATE TRIGGER ${name} ${time} ${of} ON ${view?.name ?? table.name}${when} BEGIN ${body.join("; ")}; END`,
		schema: withDependent(schema, counter, { kind: "trigger", name, table: table.name }),
	};
}

export function dropDependent(chance: Chance, schema: Schema): SchemaChange | null {
	if (schema.dependents.length === 0) return null;
	const gone = chance.pick(schema.dependents);
	return {
		sql: `DROP ${gone.kind} ${gone.name}`,
		schema: { ...schema, dependents: schema.dependents.filter((one) => one !== gone) },
	};
}

export function dropTable(chance: Chance, schema: Schema): SchemaChange | null {
	if (schema.tables.length === 0) return null;
	const table = chance.pick(schema.tables);
	return {
		sql: `DROP TABLE ${chance.pick(["", "", "IF EXISTS "])}${table.name}`,
		schema: replaceTable(schema, table.name, null),
	};
}

export function alterTable(chance: Chance, schema: Schema): SchemaChange | null {
	const changed = schema.tables.filter((table) => table.kind !== "rtree" || chance.happens(0.3));
	if (changed.length === 0) return null;
	const table = chance.pick(changed);
	const { counter } = schema;
	const next = { ...schema, counter: counter + 1 };
	if (table.kind !== "table" || chance.happens(0.25)) {
		const name = `n${counter}`;
		return {
			sql: `ALTER TABLE ${table.name} RENAME TO ${name}`,
			schema: replaceTable(next, table.name, { ...table, name }),
		};
	}
	const columns = settable(table).filter(({ name }) => name !== "id");
	return chance.weighted<() => SchemaChange | null>([
		[3, () => addColumn(chance, next, table, `x${counter}`)],
		[
			2,
			() => {
				if (columns.length === 0) return null;
				const old = chance.pick(columns);
				const name = `y${counter}`;
				const renamed = (one: string): string => (one === old.name ? name : one);
				return {
					sql: `ALTER TABLE ${table.name} RENAME COLUMN ${old.name} TO ${name}`,
					schema: replaceTable(next, table.name, {
						...table,
						columns: table.columns.map((one) => ({ ...one, name: renamed(one.name) })),
						uniques: table.uniques.map((unique) => unique.map(renamed)),
					}),
				};
			},
		],
		[
			2,
			() => {
				// One that a constraint needs cannot be dropped; mostly one is chosen that can.
				const free = columns.filter(({ name }) => !table.uniques.some((unique) => unique.includes(name)));
				if (free.length < 2) return null;
				const gone = chance.pick(free);
				return {
					sql: `ALTER TABLE ${table.name} DROP COLUMN ${gone.name}`,
					schema: replaceTable(next, table.name, {
						...table,
						columns: table.columns.filter((one) => one !== gone),
					}),
				};
			},
		],
	])();
}

function addColumn(chance: Chance, schema: Schema, table: Table, name: string): SchemaChange {
	const generated = chance.happens(0.2);
	const type = table.strict ? "ANY" : "";
	const rest = generated
		? `AS (${settledExpression(chance, names(settable(table)))})`
		: chance.pick([
				"",
				`DEFAULT (${literal(chance)})`,
				"DEFAULT 'added'",
				"NOT NULL DEFAULT -0.0",
				"DEFAULT x'00'",
				"DEFAULT 1e999",
			]);
	return {
		sql: `ALTER TABLE ${table.name} ADD COLUMN ${name} ${type} ${rest}`,
		schema: replaceTable(schema, table.name, {
			...table,
			columns: [...table.columns, { name, type, generated }],
		}),
	};
}

export function selectForTable(chance: Chance): (source: Table) => string {
	return (source) => {
		const columns = names(source.columns);
		return `SELECT ${expression(chance, columns)} AS a, ${expression(chance, columns)} AS b FROM ${source.name} LIMIT 6`;
	};
}
