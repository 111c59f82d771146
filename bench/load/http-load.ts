// Starts the load on Skein in its own process and waits for its figures.
import { join } from "node:path";
import { run as sqlRun } from "../../test/support/http.ts";
import { run } from "../children.ts";
import { nodeBinary } from "../skein/install.ts";
import { type HttpLoadFigures, type HttpLoadOptions, type LoadKind, loadTable } from "./http-load-process.ts";

export interface HttpLoad {
	readonly kind: LoadKind;
	readonly port: number;
	readonly seconds: number;
	readonly connections: number;
	readonly rowsPerRequest?: number;
	readonly rows?: number;
	/** Such as Skein-Ack of writes; without them, as the node is set up. */
	readonly headers?: Readonly<Record<string, string>>;
}

export async function httpLoad(load: HttpLoad): Promise<HttpLoadFigures> {
	const options: HttpLoadOptions = { rowsPerRequest: 1, rows: 1, headers: {}, ...load };
	const output = await run(nodeBinary, [
		join(import.meta.dirname, "http-load-process.ts"),
		JSON.stringify(options),
	]);
	const figures: HttpLoadFigures = JSON.parse(output);
	if (figures.failed > 0) throw new Error(`${figures.failed} requests failed: ${figures.firstFailure}`);
	return figures;
}

/** The table the load writes to and reads from, with this many rows. */
export async function createLoadTable(url: string, rows: number): Promise<void> {
	await sqlRun(url, `create table ${loadTable} (id integer primary key, payload text)`);
	const step = 20_000;
	for (let first = 1; first <= rows; first += step) {
		const last = Math.min(rows, first + step - 1);
		await sqlRun(
			url,
			`with recursive n(i) as (select ${first} union all select i + 1 from n where i < ${last})
			insert into ${loadTable} select i, hex(zeroblob(50)) from n`,
		);
	}
}
