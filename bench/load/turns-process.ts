// One client that takes turns: a write to Skein, then a round trip to a process that does nothing but sync 4 KiB before
// it answers. So both meet the same machine in the same moment, as cold or as warm. Its one argument is Skein's port
// and the time; prints the medians as JSON.
import { startHttpLoad } from "../../packages/skein/src/cli/bench/http-load.ts";
import { isGoodAnswer, writeRequest } from "../../packages/skein/src/cli/bench/workload.ts";
import { median } from "../report.ts";
import { openEcho } from "./floor-process.ts";
import { loadTable } from "./http-load-process.ts";

export interface TurnsOptions {
	readonly port: number;
	readonly seconds: number;
}

export interface TurnsFigures {
	readonly writeMs: { readonly p50: number; readonly p99: number };
	readonly floorMs: number;
}

/** Before each of the two, so that what the one before left behind (a commit, followers that apply) is over. */
const restMs = 2;

const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, restMs));

async function takeTurns({ port, seconds }: TurnsOptions): Promise<TurnsFigures> {
	const floor = await openEcho("durable-echo");
	const floorMs: number[] = [];
	const request = writeRequest({ table: loadTable, host: `127.0.0.1:${port}`, rowsPerRequest: 1 });
	const { failed, firstFailure, latencyMs } = await startHttpLoad({
		host: "127.0.0.1",
		port,
		connections: 1,
		durationMs: seconds * 1_000,
		isGood: isGoodAnswer,
		nextRequest: () => request,
		async beforeEach() {
			await rest();
			const started = performance.now();
			await floor.roundTrip();
			floorMs.push(performance.now() - started);
			await rest();
		},
	}).result;
	floor.close();
	if (failed > 0) throw new Error(`${failed} writes failed: ${firstFailure}`);
	return { writeMs: latencyMs, floorMs: median(floorMs) };
}

if (import.meta.main) console.log(JSON.stringify(await takeTurns(JSON.parse(process.argv[2] ?? ""))));
