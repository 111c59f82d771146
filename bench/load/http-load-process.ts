// The load on Skein, in a process of its own: reads what to send from its one argument, prints its result as JSON.
import {
	type HttpLoadResult,
	httpRequest,
	startHttpLoad,
} from "../../packages/skein/src/cli/bench/http-load.ts";
import { isGoodAnswer, readRequests, writeRequest } from "../../packages/skein/src/cli/bench/workload.ts";

export type LoadKind = "write" | "read" | "health";

export interface HttpLoadOptions {
	readonly kind: LoadKind;
	readonly port: number;
	readonly connections: number;
	readonly seconds: number;
	readonly rowsPerRequest: number;
	/** Reads pick one of the ids 1 to this. */
	readonly rows: number;
	readonly headers: Readonly<Record<string, string>>;
}

export interface HttpLoadFigures extends HttpLoadResult {
	/** Of the load itself: it shares the cores with the servers. */
	readonly processorMs: number;
}

export const loadTable = "bench";
const differentReads = 20_000;

function requests({ kind, port, rowsPerRequest, rows, headers }: HttpLoadOptions): Buffer[] {
	const host = `127.0.0.1:${port}`;
	const workload = { table: loadTable, host, rowsPerRequest, headers };
	switch (kind) {
		case "write":
			return [writeRequest(workload)];
		case "read": {
			const ids = Array.from({ length: differentReads }, () => 1 + Math.floor(Math.random() * rows));
			return readRequests(workload, ids);
		}
		case "health":
			return [httpRequest({ method: "GET", path: "/health", host, body: "" })];
		default: {
			const never: never = kind;
			throw new Error(`unknown load ${String(never)}`);
		}
	}
}

async function runLoad(options: HttpLoadOptions): Promise<HttpLoadFigures> {
	const ready = requests(options);
	let turn = 0;
	const before = process.cpuUsage();
	const result = await startHttpLoad({
		host: "127.0.0.1",
		port: options.port,
		connections: options.connections,
		durationMs: options.seconds * 1_000,
		isGood: isGoodAnswer,
		nextRequest: () => {
			turn = (turn + 1) % ready.length;
			const request = ready[turn];
			if (request === undefined) throw new Error("no request to send");
			return request;
		},
	}).result;
	const used = process.cpuUsage(before);
	return { ...result, processorMs: (used.user + used.system) / 1_000 };
}

if (import.meta.main) console.log(JSON.stringify(await runLoad(JSON.parse(process.argv[2] ?? ""))));
