// What `skein bench` sends: one-row (or many-row) inserts, and point reads, as pipeline requests.
import { httpRequest } from "./http-load.ts";

export interface Workload {
	readonly table: string;
	readonly host: string;
	readonly rowsPerRequest: number;
	/** Skein-Ack of writes; absent or null: as the node is set up. */
	readonly acknowledgement?: string | null;
}

const payload = "x".repeat(100);

export function createTableSql(table: string): string {
	return `create table "${table}" (id integer primary key, payload text)`;
}

/** The same bytes for every write: SQLite chooses the ids. */
export function writeRequest({ table, host, rowsPerRequest, acknowledgement = null }: Workload): Buffer {
	const values = Array.from({ length: rowsPerRequest }, () => "(?)").join();
	const args = Array.from({ length: rowsPerRequest }, () => ({ type: "text", value: payload }));
	return pipelineRequest(host, `insert into "${table}" (payload) values ${values}`, args, acknowledgement);
}

/** One request for each id, to be sent in turn. */
export function readRequests({ table, host }: Workload, ids: readonly number[]): Buffer[] {
	return ids.map((id) =>
		pipelineRequest(host, `select payload from "${table}" where id = ?`, [
			{ type: "integer", value: String(id) },
		]),
	);
}

function pipelineRequest(
	host: string,
	sql: string,
	args: readonly object[],
	acknowledgement: string | null = null,
): Buffer {
	const stmt = { sql, args, named_args: [], want_rows: true };
	const headers: Record<string, string> = acknowledgement === null ? {} : { "skein-ack": acknowledgement };
	const body = JSON.stringify({ requests: [{ type: "execute", stmt }, { type: "close" }] });
	return httpRequest({ method: "POST", path: "/v2/pipeline", host, body, headers });
}

const errorMark = Buffer.from('"type":"error"');

/** A statement that failed is a result inside an answer with status 200. */
export function isGoodAnswer(body: Buffer): boolean {
	return !body.includes(errorMark);
}
