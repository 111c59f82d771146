// What `skein bench` sends: one-row (or many-row) inserts, and point reads, as pipeline requests.
import { httpRequest } from "./http-load.ts";

export interface Workload {
	readonly table: string;
	readonly host: string;
	readonly rowsPerRequest: number;
	/** Such as Skein-Ack and Skein-Consistency; without them, as the node is set up. */
	readonly headers?: Readonly<Record<string, string>>;
}

const payload = "x".repeat(100);

export function createTableSql(table: string): string {
	return `create table "${table}" (id integer primary key, payload text)`;
}

/** The same bytes for every write: SQLite chooses the ids. */
export function writeRequest({ table, host, rowsPerRequest, headers }: Workload): Buffer {
	const values = Array.from({ length: rowsPerRequest }, () => "(?)").join();
	const args = Array.from({ length: rowsPerRequest }, () => ({ type: "text", value: payload }));
	return pipelineRequest(host, `insert into "${table}" (payload) values ${values}`, args, headers);
}

/** One request for each id, to be sent in turn. */
export function readRequests({ table, host, headers }: Workload, ids: readonly number[]): Buffer[] {
	return ids.map((id) =>
		pipelineRequest(
			host,
			`select payload from "${table}" where id = ?`,
			[{ type: "integer", value: String(id) }],
			headers,
		),
	);
}

function pipelineRequest(
	host: string,
	sql: string,
	args: readonly object[],
	headers: Readonly<Record<string, string>> = {},
): Buffer {
	const stmt = { sql, args, named_args: [], want_rows: true };
	const body = JSON.stringify({ requests: [{ type: "execute", stmt }, { type: "close" }] });
	return httpRequest({ method: "POST", path: "/v2/pipeline", host, body, headers });
}

const errorMark = Buffer.from('"type":"error"');

/** A statement that failed is a result inside an answer with status 200. */
export function isGoodAnswer(body: Buffer): boolean {
	return !body.includes(errorMark);
}
