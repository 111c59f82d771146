/** Everything that members must have equal, read from a database file: schema, rows with rowids, exact values. */
import { DatabaseSync } from "node:sqlite";

export function contentsOf(path: string): Record<string, unknown> {
	const connection = new DatabaseSync(path, { readOnly: true, readBigInts: true });
	try {
		const contents: Record<string, unknown> = {
			schema: connection
				.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
				.all(),
			pragmas: [
				connection.prepare("PRAGMA user_version").get(),
				connection.prepare("PRAGMA application_id").get(),
			],
		};
		const tables = connection.prepare(
			"SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') AND name <> 'sqlite_schema' ORDER BY name",
		);
		for (const { name, wr } of tables.all())
			contents[String(name)] = rowsOf(connection, String(name), wr === 1n);
		return contents;
	} finally {
		connection.close();
	}
}

/** The database page by page, as a connection sees it now: in the log format wal members have all of it the same. */
export function imageOf(path: string): Buffer {
	const connection = new DatabaseSync(path, { readOnly: true });
	try {
		return Buffer.from(connection.serialize());
	} finally {
		connection.close();
	}
}

/** Null: both are the same. */
export function differingPages(one: Buffer, other: Buffer, pageBytes = 4_096): string | null {
	const size = Math.max(one.length, other.length) / pageBytes;
	const page = (image: Buffer, number: number): Buffer =>
		image.subarray((number - 1) * pageBytes, number * pageBytes);
	const differing = Array.from({ length: size }, (_, at) => at + 1).filter(
		(number) => !page(one, number).equals(page(other, number)),
	);
	if (differing.length === 0) return null;
	return `${differing.length} of ${size} pages differ, the first: ${differing.slice(0, 10).join(", ")}`;
}

function rowsOf(connection: DatabaseSync, table: string, withoutRowid: boolean): unknown[] {
	const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
	const columns = connection.prepare("SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1").all(table);
	const names = columns.map((column) => quoted(String(column["name"])));
	const taken = new Set(columns.map((column) => String(column["name"]).toLowerCase()));
	// What ANALYZE found comes in no order of its own.
	const unordered = table.startsWith("sqlite_stat");
	const rowid =
		withoutRowid || unordered ? undefined : ["rowid", "_rowid_", "oid"].find((name) => !taken.has(name));
	const rows: unknown[][] = [];
	// SQLite allows 2000 columns, also in a result.
	for (let start = 0; start < names.length; start += 600) {
		// As text and blob side by side: text may hold bytes that no string can.
		const values = names
			.slice(start, start + 600)
			.flatMap((name) => [`typeof(${name})`, `hex(CAST(${name} AS BLOB))`, `quote(${name})`]);
		const selected = (rowid === undefined ? values : [rowid, ...values]).join(", ");
		const statement = connection.prepare(
			`SELECT ${selected} FROM ${quoted(table)} ORDER BY ${rowid ?? names.join(", ")}`,
		);
		statement.setReturnArrays(true);
		for (const [place, row] of statement.all().entries())
			rows[place] = [...(rows[place] ?? []), ...Object.values(row)];
	}
	return rows;
}
