/**
 * Random SQL: one seed gives one endless stream of statements, gathered into requests, those into groups
 * that commit together, with another leader now and then. Plain data: a failing stream can be cut down
 * statement by statement and still be run.
 */
import { type Chance, createChance } from "./random-sql-chance.ts";
import { expression, literal } from "./random-sql-expressions.ts";
import {
	createTable,
	createTableAs,
	createVirtualTable,
	emptySchema,
	names,
	type Schema,
	type SchemaChange,
	settable,
} from "./random-sql-schema.ts";
import {
	alterTable,
	createIndex,
	createTrigger,
	createView,
	dropDependent,
	dropTable,
	selectForTable,
	tooManyTables,
} from "./random-sql-schema-changes.ts";
import { change, rowStatement } from "./random-sql-statements.ts";

export interface RandomStatement {
	readonly sql: string;
	/** Statements of one request have its number. */
	readonly request: number;
	/** Sent one by one, with other requests before the first only. */
	readonly interactive: boolean;
	/** Its outcome is stored with it. */
	readonly idempotent: boolean;
	/** Requests of one group have its number: they commit together. */
	readonly group: number;
	/** The member that leads for this group: 0, 1 or 2. */
	readonly leader: number;
}

interface Drawn {
	readonly statements: readonly string[];
	/** It must be alone in its group. */
	readonly alone: boolean;
	readonly schema: Schema;
}

export function* randomSql(seed: number): Generator<RandomStatement, never> {
	const chance = createChance(seed);
	let schema = emptySchema;
	let leader = 0;
	let request = 0;
	for (let group = 0; ; group++) {
		if (chance.happens(0.1)) leader = (leader + 1 + chance.below(2)) % 3;
		const requests = 1 + chance.below(4);
		for (let place = 0; place < requests; place++) {
			const drawn: Drawn = group < 4 ? firstTables(chance, schema) : drawRequest(chance, schema);
			if (drawn.alone) group++;
			const interactive = drawn.alone || place === requests - 1 ? chance.happens(0.15) : false;
			const idempotent = !interactive && chance.happens(0.1);
			schema = drawn.schema;
			for (const sql of drawn.statements) yield { sql, request, interactive, idempotent, group, leader };
			request++;
			if (drawn.alone) group++;
		}
	}
}

function firstTables(chance: Chance, schema: Schema): Drawn {
	const { sql, schema: next } = createTable(chance, schema);
	return { statements: [sql], alone: false, schema: next };
}

function drawRequest(chance: Chance, schema: Schema): Drawn {
	return chance.weighted<() => Drawn>([
		[10, () => run(chance, schema, 1)],
		[5, () => run(chance, schema, 2 + chance.below(3))],
		[6, () => transaction(chance, schema)],
		[1, () => withoutForeignKeys(chance, schema)],
	])();
}

function run(chance: Chance, schema: Schema, length: number): Drawn {
	let now = schema;
	const statements = Array.from({ length }, () => {
		const drawn = drawStatement(chance, now);
		now = drawn.schema;
		return drawn.sql;
	});
	return { statements, alone: false, schema: now };
}

/** BEGIN to COMMIT or ROLLBACK, or left open; savepoints inside, or around. */
function transaction(chance: Chance, before: Schema): Drawn {
	const statements: string[] = [];
	const open: { readonly name: string; readonly schema: Schema }[] = [];
	let schema = before;
	const bySavepoint = chance.happens(0.2);
	if (!bySavepoint) statements.push(chance.pick(["BEGIN", "BEGIN IMMEDIATE"]));
	if (chance.happens(0.1)) statements.push("PRAGMA defer_foreign_keys = ON");
	const length = 2 + chance.below(6);
	for (let place = 0; place < length; place++) {
		const innermost = open.at(-1);
		const what =
			bySavepoint && innermost === undefined
				? "savepoint"
				: chance.weighted([
						[10, "statement"],
						[2, "savepoint"],
						[innermost === undefined ? 0 : 2, "release"],
						[innermost === undefined ? 0 : 3, "back"],
					]);
		if (what === "savepoint") {
			const name = chance.pick(["s", "S", '"s 1"', "u", "é", "É"]);
			open.push({ name, schema });
			statements.push(`SAVEPOINT ${name}${comment(chance)}`);
		} else if (what === "release" && innermost !== undefined) {
			open.pop();
			statements.push(`RELEASE ${innermost.name}${comment(chance)}`);
		} else if (what === "back" && innermost !== undefined) {
			schema = innermost.schema;
			statements.push(`ROLLBACK TO ${innermost.name}${comment(chance)}`);
		} else {
			const drawn = drawStatement(chance, schema);
			schema = drawn.schema;
			statements.push(drawn.sql);
		}
	}
	const end = chance.weighted([
		[7, "COMMIT"],
		[3, "ROLLBACK"],
		[1, "open"],
	]);
	if (end !== "open") statements.push(end);
	return { statements, alone: false, schema: end === "COMMIT" ? schema : before };
}

function comment(chance: Chance): string {
	return chance.pick(["", "", "", " -- s", " /* u */"]);
}

function withoutForeignKeys(chance: Chance, schema: Schema): Drawn {
	const inner = chance.happens(0.5) ? transaction(chance, schema) : run(chance, schema, 2);
	return {
		...inner,
		statements: ["PRAGMA foreign_keys = OFF", ...inner.statements, "PRAGMA foreign_keys = ON"],
		alone: true,
	};
}

function drawStatement(chance: Chance, schema: Schema): SchemaChange {
	if (chance.happens(0.16)) {
		const changed = drawSchemaChange(chance, schema);
		if (changed !== null) return changed;
	}
	if (chance.happens(0.02))
		return {
			sql: `PRAGMA ${chance.pick(["user_version", "application_id"])} = ${chance.below(100)}`,
			schema,
		};
	if (chance.happens(0.03)) return { sql: read(chance, schema), schema };
	return { sql: rowStatement(chance, schema) ?? "SELECT 1", schema };
}

function read(chance: Chance, schema: Schema): string {
	if (schema.tables.length === 0) return "SELECT count(*) FROM sqlite_schema";
	const table = chance.pick(schema.tables);
	return `SELECT ${expression(chance, names(table.columns))} FROM ${table.name} LIMIT 3`;
}

function drawSchemaChange(chance: Chance, schema: Schema): SchemaChange | null {
	const full = tooManyTables(schema);
	return chance.weighted<() => SchemaChange | null>([
		[full ? 0 : 4, () => createTable(chance, schema)],
		[full ? 0 : 2, () => createVirtualTable(chance, schema)],
		[full ? 0 : 2, () => createTableAs(chance, schema, selectForTable(chance))],
		[full ? 6 : 2, () => dropTable(chance, schema)],
		[6, () => createIndex(chance, schema)],
		[2, () => createView(chance, schema)],
		[5, () => createTrigger(chance, schema, (table, trigger) => change(chance, table, { schema, trigger }))],
		[3, () => dropDependent(chance, schema)],
		[5, () => alterTable(chance, schema)],
		[1, () => ({ sql: chance.pick(["REINDEX", "ANALYZE"]), schema })],
		[1, () => sequenceChange(chance, schema)],
	])();
}

/** The last ids of AUTOINCREMENT, which clients may set. */
function sequenceChange(chance: Chance, schema: Schema): SchemaChange | null {
	const tables = schema.tables.filter((table) => table.kind === "table" && settable(table).length > 0);
	if (tables.length === 0) return null;
	return {
		sql: chance.pick([
			`UPDATE sqlite_sequence SET seq = seq + ${chance.below(30)}`,
			`UPDATE sqlite_sequence SET seq = ${chance.pick(["seq * 1.5", "CAST(seq AS TEXT)", "NULL", literal(chance)])}`,
			`INSERT INTO sqlite_sequence VALUES ('${chance.pick(tables).name}', ${chance.below(50)})`,
			`INSERT INTO sqlite_sequence VALUES (${literal(chance)}, ${literal(chance)})`,
			"UPDATE sqlite_sequence SET rowid = rowid + 3",
			"DELETE FROM sqlite_sequence",
		]),
		schema,
	};
}
