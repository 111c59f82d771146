// Where the processor time of the leader goes under the write load: the functions with the most time of their
// own, for each thread apart, and the time of every thread as the kernel counts it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLoadTable, httpLoad } from "./load/http-load.ts";
import { show, table } from "./report.ts";
import { openSkein } from "./skein/cluster.ts";

const functions = 25;
const clients = 64;

interface CallFrame {
	readonly functionName: string;
	readonly url: string;
	readonly lineNumber: number;
}

interface CpuProfile {
	readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
	readonly samples: readonly number[];
	readonly timeDeltas: readonly number[];
}

export async function profile(seconds: number): Promise<void> {
	await using cluster = await openSkein({
		runtimeOptions: () => ["--cpu-prof"],
	});
	const leader = await cluster.leader();
	await createLoadTable(leader.url, 0);
	const before = threadTimes(leader.pid);
	const load = { kind: "write", port: leader.port, connections: clients, seconds } as const;
	const { completed, perSecond } = await httpLoad(load);
	const after = threadTimes(leader.pid);
	console.log(`${show(perSecond)} writes a second while profiled; the leader, µs a write by thread:`);
	const rows = [...after].map(([thread, time]) => [
		thread,
		(((time - (before.get(thread) ?? 0)) * 1_000) / completed).toFixed(1),
	]);
	console.log(
		table(
			["thread", "µs"],
			rows.filter(([, time]) => time !== "0.0"),
		),
	);
	await leader.end("SIGTERM");
	const directory = join(cluster.directory, leader.id);
	for (const name of readdirSync(directory).filter((file) => file.endsWith(".cpuprofile"))) {
		printProfile(JSON.parse(readFileSync(join(directory, name), "utf8")), completed);
	}
}

/** Processor time in ms by thread number and name. */
function threadTimes(pid: number): Map<string, number> {
	return new Map(
		readdirSync(`/proc/${pid}/task`).map((thread) => {
			const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
			const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
			const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
			return [`${thread} ${name}`, (Number(fields[11]) + Number(fields[12])) * 10];
		}),
	);
}

function printProfile({ nodes, samples, timeDeltas }: CpuProfile, completed: number): void {
	const frames = new Map(nodes.map((node) => [node.id, node.callFrame]));
	const times = new Map<string, number>();
	for (const [index, sample] of samples.entries()) {
		const name = describe(frames.get(sample));
		times.set(name, (times.get(name) ?? 0) + (timeDeltas[index] ?? 0));
	}
	const sorted = [...times].toSorted((a, b) => b[1] - a[1]);
	const busy = sorted.filter(([name]) => !name.startsWith("(idle)")).reduce((sum, [, time]) => sum + time, 0);
	// A thread that did nothing, such as a reader nobody asked, says nothing.
	if (busy / completed < 1) return;
	console.log(`\n${Math.round(busy / 1_000)} ms busy`);
	const rows = sorted
		.slice(0, functions)
		.map(([name, time]) => [name, (time / completed).toFixed(1), `${((time / busy) * 100).toFixed(1)} %`]);
	console.log(table(["function", "µs a write", "of the busy time"], rows));
}

function describe(frame: CallFrame | undefined): string {
	if (frame === undefined) return "(unknown)";
	const name = frame.functionName === "" ? "(anonymous)" : frame.functionName;
	const file = frame.url.split("/").slice(-2).join("/");
	return file === "" ? name : `${name} ${file}:${frame.lineNumber + 1}`;
}
