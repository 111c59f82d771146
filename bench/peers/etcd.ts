// etcd as Debian packages it: three members on this machine with their data in a temporary folder, default
// settings; its load is the Go program beside this file, on etcd's own client.
import { join } from "node:path";
import { freePorts } from "../../test/support/ports.ts";
import { until } from "../../test/support/until.ts";
import { openWorkplace, run } from "../children.ts";
import { waitForQuiet } from "../quiet.ts";

export interface EtcdFigures {
	readonly operations: number;
	readonly perSecond: number;
	readonly p50Ms: number;
	readonly p99Ms: number;
	readonly maxMs: number;
	readonly errors: number;
}

export interface EtcdLoad {
	readonly mode: "write" | "read";
	readonly clients: number;
	readonly connections: number;
	readonly seconds: number;
}

export interface Etcd extends AsyncDisposable {
	readonly version: string;
	pids(): number[];
	/** Writes the keys that reads pick from. */
	fill(keys: number): Promise<void>;
	/** Against the leader. */
	load(load: EtcdLoad): Promise<EtcdFigures>;
}

export async function openEtcd(): Promise<Etcd> {
	await waitForQuiet();
	const workplace = openWorkplace("etcd");
	try {
		const program = join(workplace.directory, "etcd-load");
		await run("go", ["build", "-o", program, "."], { directory: join(import.meta.dirname, "etcd-load") });
		const ports = await freePorts(6);
		const names = ["e1", "e2", "e3"];
		const client = (index: number): string => `http://127.0.0.1:${ports[index]}`;
		const peer = (index: number): string => `http://127.0.0.1:${ports[names.length + index]}`;
		const initialCluster = names.map((name, index) => `${name}=${peer(index)}`).join(",");
		const members = names.map((name, index) => {
			const flags = {
				"--name": name,
				"--data-dir": join(workplace.directory, name),
				"--listen-client-urls": client(index),
				"--advertise-client-urls": client(index),
				"--listen-peer-urls": peer(index),
				"--initial-advertise-peer-urls": peer(index),
				"--initial-cluster": initialCluster,
				"--log-level": "error",
				// A long run must not meet the space quota of 2 GB.
				"--quota-backend-bytes": String(8 * 2 ** 30),
			};
			return workplace.start("etcd", Object.entries(flags).flat());
		});
		const endpoint = (
			await until({ what: "a leader of etcd", timeoutMs: 20_000 }, async () => {
				for (const index of names.keys()) {
					const status = await memberStatus(client(index));
					if (status.leader === status.self && status.leader !== "0") return client(index);
				}
				return null;
			})
		).slice("http://".length);
		const options = (mode: string, rest: Record<string, string> = {}): string[] =>
			Object.entries({ "-mode": mode, "-endpoint": endpoint, ...rest }).flat();
		let filled = 0;
		return {
			version: (await run("etcd", ["--version"])).split("\n")[0] ?? "",
			pids: () => members.map((member) => member.pid ?? 0),
			async fill(keys) {
				await run(program, options("fill", { "-keys": String(keys), "-connections": "1" }));
				filled = keys;
			},
			async load({ mode, clients, connections, seconds }) {
				if (mode === "read" && filled === 0) throw new Error("fill etcd before it is read");
				const output = await run(
					program,
					options(mode, {
						"-clients": String(clients),
						"-connections": String(connections),
						"-seconds": String(seconds),
						"-keys": String(filled),
					}),
				);
				const figures: EtcdFigures = JSON.parse(output);
				if (figures.errors > 0) throw new Error(`${figures.errors} operations of etcd failed`);
				return figures;
			},
			[Symbol.asyncDispose]: () => workplace[Symbol.asyncDispose](),
		};
	} catch (error) {
		await workplace[Symbol.asyncDispose]();
		throw error;
	}
}

async function memberStatus(url: string): Promise<{ readonly leader: string; readonly self: string }> {
	const response = await fetch(`${url}/v3/maintenance/status`, {
		method: "POST",
		body: "{}",
		signal: AbortSignal.timeout(1_000),
	});
	const text = await response.text();
	const body: { leader?: string; header?: { member_id?: string } } = JSON.parse(text);
	return { leader: body.leader ?? "0", self: body.header?.member_id ?? "" };
}
