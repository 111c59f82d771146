/** Do all members hold the same? Table by table, row by row, rowids and the type of each value included. */
import { expect } from "vitest";
import type { Cluster } from "./cluster.ts";
import { type HranaResult, pipeline } from "./http.ts";
import type { NodeProcess } from "./node-process.ts";

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const pageRows = 5_000;

async function query(node: NodeProcess, sql: string): Promise<HranaResult> {
	const answer = await pipeline(node.url, [{ type: "execute", stmt: { sql, want_rows: true } }], {
		consistency: "eventual",
	});
	const [result] = answer.results;
	if (result?.type !== "ok" || result.response.result === undefined) {
		throw new Error(`${node.id}: ${sql.slice(0, 1_000)}: ${JSON.stringify(result)}`);
	}
	return result.response.result;
}

export type Contents = Readonly<Record<string, readonly string[]>>;

/** What one member holds: schema, pragmas and the rows of every table as lines of text, in the order of their keys. */
export async function contentsOf(node: NodeProcess): Promise<Contents> {
	const contents: Record<string, readonly string[]> = {};
	const lines = (result: HranaResult): string[] => result.rows.map((row) => JSON.stringify(row));
	contents["schema"] = lines(
		await query(node, "select type, name, tbl_name, sql from sqlite_schema order by type, name"),
	);
	contents["user_version"] = lines(await query(node, "pragma user_version"));
	// skein_state says where this member is, which differs while another is being asked.
	const tables = await query(
		node,
		"select name from pragma_table_list where schema = 'main' and type in ('table', 'shadow') and name not in ('skein_state', 'sqlite_schema') order by name",
	);
	for (const [cell] of tables.rows) {
		const name = String(cell?.value);
		// ANALYZE goes through the tables in an order of its own on every member; what it finds is the same.
		const isStatistics = name.startsWith("sqlite_stat");
		const hasRowid =
			!isStatistics &&
			(await query(node, `select rowid from ${quoted(name)} limit 0`).then(
				() => true,
				() => false,
			));
		// As type and bytes: JSON cannot carry infinity, nor text that is no UTF-8.
		const named = await query(
			node,
			`select name from pragma_table_xinfo('${name.replaceAll("'", "''")}') where hidden <> 1`,
		);
		const names = named.rows.map(([column]) => quoted(String(column?.value)));
		const order = hasRowid ? "rowid" : names.join(", ");
		const rows: string[] = [];
		// SQLite allows 2000 columns, also in a result: a wide table is read in slices.
		for (let start = 0; start < names.length; start += 900) {
			const values = names
				.slice(start, start + 900)
				.flatMap((column) => [`typeof(${column})`, `hex(cast(${column} as blob))`]);
			const columns = (hasRowid ? ["rowid", ...values] : values).join(", ");
			for (let offset = 0; ; offset += pageRows) {
				const page = await query(
					node,
					`select ${columns} from ${quoted(name)} order by ${order} limit ${pageRows} offset ${offset}`,
				);
				rows.push(...lines(page));
				if (page.rows.length < pageRows) break;
			}
		}
		contents[`table ${name}`] = rows;
	}
	return contents;
}

/** Waits until all running members have applied everything, then holds them against the first. Nobody may write meanwhile. */
export async function expectEqualMembers(cluster: Cluster): Promise<Contents> {
	await cluster.caughtUp();
	const [first, ...others] = cluster.nodes.filter((node) => node.isRunning);
	if (first === undefined || others.length === 0) throw new Error("there are no two members to compare");
	const expected = await contentsOf(first);
	for (const node of others) {
		const contents = await contentsOf(node);
		// By table first: the whole is too large to be shown.
		for (const name of Object.keys(expected)) {
			expect(contents[name], `${name} of ${node.id} against ${first.id}`).toEqual(expected[name]);
		}
		expect(Object.keys(contents)).toEqual(Object.keys(expected));
	}
	return expected;
}
