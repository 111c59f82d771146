/**
 * A digest of a whole database: equal for members that hold the same, different when anything differs that a
 * client could see: schema, rows with their rowids, types (1, 1.0, '1', x'31'; 0.0 and -0.0), user_version,
 * the last AUTOINCREMENT ids. Where a page or a free byte lies does not count. One row at a time is in memory.
 *
 * Rows come in the order of their key, which is the order they are stored in: nothing is sorted. Tables of
 * FTS5 and R-Tree are read as the ordinary tables that they keep their content in. Virtual generated columns
 * are left out: they follow from the others, and computing one may fail. So are rowids of what ANALYZE wrote.
 */
import { createHash, type Hash } from "node:crypto";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";

export interface TableDigest {
	readonly name: string;
	readonly rows: number;
	/** Of the rows, in hexadecimal. */
	readonly sha256: string;
}

export interface DatabaseDigest {
	/** Of everything below: equal when, and only when, the databases are. */
	readonly sha256: string;
	/** Of what was declared (tables, indexes, triggers, views), user_version and application_id. */
	readonly schemaSha256: string;
	/** In the order of their names, Skein's own and sqlite_sequence among them. */
	readonly tables: readonly TableDigest[];
}

/** What is seen is one state: that of the transaction that is open, or of one begun here. */
export function digestDatabase(connection: DatabaseSync): DatabaseDigest {
	if (connection.isTransaction) return digestTransaction(connection);
	connection.exec("BEGIN");
	try {
		return digestTransaction(connection);
	} finally {
		connection.exec("ROLLBACK");
	}
}

function digestTransaction(connection: DatabaseSync): DatabaseDigest {
	const schemaSha256 = digestSchema(connection);
	const found = connection
		.prepare(
			"SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') AND name <> 'sqlite_schema' ORDER BY name",
		)
		.all();
	const tables = found.map(({ name, wr }) => digestTable(connection, String(name), wr === 1 || wr === 1n));
	const whole = createHash("sha256").update(schemaSha256);
	// JSON, so that no name can look like the end of another.
	for (const { name, rows, sha256 } of tables) whole.update(JSON.stringify([name, rows, sha256]));
	return { sha256: whole.digest("hex"), schemaSha256, tables };
}

function digestSchema(connection: DatabaseSync): string {
	const hash = createHash("sha256");
	for (const pragma of ["user_version", "application_id"])
		hash.update(`${pragma} ${String(connection.prepare(`PRAGMA main.${pragma}`).get()?.[pragma])} `);
	const declared = connection.prepare(
		"SELECT json_array(type, name, tbl_name, sql) AS line FROM main.sqlite_schema ORDER BY type, name",
	);
	for (const { line } of declared.iterate()) hash.update(`${String(line)}\n`);
	return hash.digest("hex");
}

/** SQLite allows 2000 columns, also in a result; a wider table is read in as many passes as it needs. */
const columnsInPass = 900;

function digestTable(connection: DatabaseSync, table: string, withoutRowid: boolean): TableDigest {
	const all = connection.prepare("SELECT name, hidden FROM pragma_table_xinfo(?) ORDER BY cid").all(table);
	// hidden: 1 is of virtual tables, 2 a virtual generated column, 3 a stored one.
	const columns = all
		.filter(({ hidden }) => Number(hidden) === 0 || Number(hidden) === 3)
		.map(({ name }) => quoteName(String(name)));
	const taken = new Set(all.map(({ name }) => String(name).toLowerCase()));
	// What ANALYZE found, in the order in which it came to the tables: that is any, and of no meaning.
	const unordered = table.startsWith("sqlite_stat");
	const rowid =
		withoutRowid || unordered ? undefined : ["rowid", "_rowid_", "oid"].find((name) => !taken.has(name));
	if (rowid === undefined && !withoutRowid && !unordered)
		throw new Error(`table ${table} has columns that hide all names of its rowid: rename one`);
	const order = unordered ? columns.join(", ") : (rowid ?? keyOrder(connection, table));
	const output = createOutput();
	let rows = 0;
	for (let start = 0; start === 0 || start < columns.length; start += columnsInPass) {
		const values = columns.slice(start, start + columnsInPass).flatMap(readAs);
		const selected = [...(rowid === undefined ? [] : readAs(rowid)), ...values].join(", ");
		const statement = connection.prepare(
			`SELECT ${selected} FROM main.${quoteName(table)} NOT INDEXED ORDER BY ${order}`,
		);
		statement.setReadBigInts(true);
		statement.setReturnArrays(true);
		rows = 0;
		for (const row of statement.iterate()) {
			output.row(row as unknown as readonly SQLOutputValue[]);
			rows++;
		}
	}
	return { name: table, rows, sha256: output.finish() };
}

/** Text may hold bytes that are no UTF-8, which a string would lose: it comes as its bytes, and its type beside it. */
function readAs(column: string): string[] {
	return [
		`CASE typeof(${column}) WHEN 'text' THEN CAST(${column} AS BLOB) ELSE ${column} END`,
		`typeof(${column}) = 'text'`,
	];
}

/** As a table WITHOUT ROWID is stored. */
function keyOrder(connection: DatabaseSync, table: string): string {
	const columns = connection
		.prepare(
			`SELECT x.name, x.coll, x."desc" FROM pragma_index_list(?) AS l, pragma_index_xinfo(l.name) AS x
			 WHERE l.origin = 'pk' AND x.key = 1 ORDER BY x.seqno`,
		)
		.all(table);
	if (columns.length === 0) throw new Error(`table ${table} has neither a rowid nor a key`);
	return columns
		.map(
			({ name, coll, desc }) =>
				`${quoteName(String(name))} COLLATE ${quoteName(String(coll))}${Number(desc) === 1 ? " DESC" : ""}`,
		)
		.join(", ");
}

function quoteName(name: string): string {
	return `"${name.replaceAll('"', '""')}"`;
}

const types = { null: 0, integer: 1, real: 2, text: 3, blob: 4 } as const;

interface Output {
	/** Pairs of a value and whether it is text. */
	row(values: readonly SQLOutputValue[]): void;
	finish(): string;
}

/** One call into the hash costs more than a small row: values gather first. */
function createOutput(): Output {
	const hash: Hash = createHash("sha256");
	const buffer = new Uint8Array(64 * 1024);
	const view = new DataView(buffer.buffer);
	/** A type, and eight bytes of a value or of a length. */
	const headBytes = 9;
	let length = 0;

	function flush(): void {
		if (length > 0) hash.update(buffer.subarray(0, length));
		length = 0;
	}

	function value(one: SQLOutputValue | undefined, isText: boolean): void {
		if (length + headBytes > buffer.length) flush();
		const at = length;
		length += headBytes;
		view.setBigInt64(at + 1, 0n);
		if (one === null) buffer[at] = types.null;
		else if (typeof one === "bigint") {
			buffer[at] = types.integer;
			view.setBigInt64(at + 1, one);
		} else if (typeof one === "number") {
			buffer[at] = types.real;
			view.setFloat64(at + 1, one);
		} else if (one instanceof Uint8Array) {
			buffer[at] = isText ? types.text : types.blob;
			view.setBigInt64(at + 1, BigInt(one.length));
			bytes(one);
		} else throw new Error(`a value of type ${typeof one} in a row`);
	}

	function bytes(of: Uint8Array): void {
		if (length + of.length > buffer.length) flush();
		if (of.length > buffer.length) {
			hash.update(of);
			return;
		}
		buffer.set(of, length);
		length += of.length;
	}

	return {
		row(values) {
			for (let place = 0; place < values.length; place += 2) value(values[place], values[place + 1] === 1n);
		},
		finish() {
			flush();
			return hash.digest("hex");
		},
	};
}
