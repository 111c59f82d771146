// `skein bench`: writes and reads per second of one node, as a client on this machine sees them.
import { randomBytes } from "node:crypto";
import { type Client, connect } from "../../../client/src/index.ts";
import { type HttpLoadResult, startHttpLoad } from "./bench/http-load.ts";
import { createTableSql, isGoodAnswer, readRequests, type Workload, writeRequest } from "./bench/workload.ts";
import { commandLineClient } from "./client-options.ts";
import type { benchOptions, OptionValues } from "./options.ts";

type BenchValues = OptionValues<typeof benchOptions>;

/** Rows that point reads choose from. */
const readRows = 1_000;

export async function bench(values: BenchValues): Promise<void> {
	const url = new URL(values.url[0] ?? "");
	const client = connect(url.href, commandLineClient);
	// Nobody's table; gone afterwards.
	const table = `bench_${randomBytes(4).toString("hex")}`;
	const workload = { table, host: url.host, rowsPerRequest: values.rowsPerRequest };
	const both = values.reads === values.writes;
	const say = values.json ? () => {} : (line: string) => process.stdout.write(`${line}\n`);

	await client.execute(createTableSql(table));
	try {
		say(`${values.clients} connections to ${url.origin} (${await roleOf(client)}), ${values.seconds} s each`);
		const results: Record<string, object> = {};
		if (both || values.writes) {
			const result = await measureWrites(workload, url, values);
			results["writes"] = { ...result, rowsPerSecond: result.perSecond * values.rowsPerRequest };
			say(line("writes", result, values.rowsPerRequest));
		}
		if (both || values.reads) {
			const result = await measureReads(client, workload, url, values);
			results["reads"] = result;
			say(line("reads", result, 1));
		}
		const { clients, rowsPerRequest } = values;
		if (values.json) console.log(JSON.stringify({ url: url.href, clients, rowsPerRequest, ...results }));
	} finally {
		await client.execute(`drop table "${table}"`);
	}
}

async function measureWrites(workload: Workload, url: URL, values: BenchValues): Promise<HttpLoadResult> {
	const request = writeRequest(workload);
	return await measure("writes", url, values, () => request);
}

async function measureReads(
	client: Client,
	workload: Workload,
	url: URL,
	values: BenchValues,
): Promise<HttpLoadResult> {
	await client.execute(
		`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${readRows})
		insert or ignore into "${workload.table}" (id, payload) select i, hex(zeroblob(50)) from n`,
	);
	const requests = readRequests(
		workload,
		Array.from({ length: readRows }, (_, index) => index + 1),
	);
	let turn = 0;
	return await measure("reads", url, values, () => {
		// A step that shares no factor with the count visits every row.
		turn = (turn + 617) % requests.length;
		const request = requests[turn];
		if (request === undefined) throw new Error("no request to send");
		return request;
	});
}

async function measure(
	what: string,
	url: URL,
	values: BenchValues,
	nextRequest: (connection: number) => Uint8Array,
): Promise<HttpLoadResult> {
	const load = startHttpLoad({
		host: url.hostname.replace(/^\[|\]$/g, ""),
		port: Number(url.port === "" ? 80 : url.port),
		connections: values.clients,
		durationMs: values.seconds * 1_000,
		nextRequest,
		isGood: isGoodAnswer,
	});
	const startedAt = performance.now();
	const progress = setInterval(() => {
		if (!process.stderr.isTTY || values.json) return;
		const seconds = (performance.now() - startedAt) / 1_000;
		const rate = Math.round(load.completed() / seconds).toLocaleString("en");
		process.stderr.write(`\r${what}: ${seconds.toFixed(0)} s, ${rate} a second\u001b[K`);
	}, 500);
	const result = await load.result;
	clearInterval(progress);
	if (process.stderr.isTTY && !values.json) process.stderr.write("\r\u001b[K");
	if (result.completed === 0) {
		throw new Error(`every request of the ${what} failed: ${result.firstFailure ?? "no answer"}`);
	}
	return result;
}

function line(what: string, result: HttpLoadResult, rowsPerRequest: number): string {
	const count = (value: number): string => Math.round(value).toLocaleString("en");
	const rows = rowsPerRequest === 1 ? "" : ` (${count(result.perSecond * rowsPerRequest)} rows/s)`;
	const { p50, p99, max } = result.latencyMs;
	const failed = result.failed === 0 ? "" : `, ${count(result.failed)} failed: ${result.firstFailure ?? ""}`;
	const latency = `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, max ${max.toFixed(0)} ms`;
	return `${what.padEnd(7)} ${count(result.perSecond).padStart(9)}/s${rows}   ${latency}${failed}`;
}

async function roleOf(client: Client): Promise<string> {
	const view = await client.call("GET", "cluster");
	if (typeof view !== "object" || view === null || !("node" in view)) return "unknown node";
	const { clusterStatus } = await import("./status/cluster-status.ts");
	const { leader } = await clusterStatus(client);
	const node = String(view.node);
	return node === leader ? `${node}, the leader` : `${node}, a follower: ${leader ?? "nobody"} leads`;
}
