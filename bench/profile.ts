// Where the processor time of the leader goes under the write load: the functions with the most time of their
// own, for each thread apart, and the time of every thread as the kernel counts it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLoadTable, httpLoad } from "./load/http-load.ts";
import { show, table } from "./report.ts";
import { openSkein } from "./skein/cluster.ts";

const functions = 25;
const clients = 64;
/** Code that has never run is not compiled yet, and is not what is asked about. */
const warmUpSeconds = 3;

interface CallFrame {
	readonly functionName: string;
	readonly url: string;
	readonly lineNumber: number;
}

interface CpuProfile {
	/** Microseconds of the clock that process.hrtime reads. */
	readonly startTime: number;
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
	await httpLoad({ kind: "write", port: leader.port, connections: clients, seconds: warmUpSeconds });
	const before = threadTimes(leader.pid);
	const from = nowMicroseconds();
	const load = { kind: "write", port: leader.port, connections: clients, seconds } as const;
	const { completed, perSecond } = await httpLoad(load);
	const after = threadTimes(leader.pid);
	const to = nowMicroseconds();
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
		printProfile(JSON.parse(readFileSync(join(directory, name), "utf8")), completed, from, to);
	}
}

const nowMicroseconds = (): number => Number(process.hrtime.bigint() / 1_000n);

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

function printProfile(found: CpuProfile, completed: number, from: number, to: number): void {
	const frames = new Map(found.nodes.map((node) => [node.id, node.callFrame]));
	const times = new Map<string, number>();
	let now = found.startTime;
	for (const [index, sample] of found.samples.entries()) {
		const elapsed = found.timeDeltas[index] ?? 0;
		now += elapsed;
		const name = describe(frames.get(sample));
		if (now > from && now <= to) times.set(name, (times.get(name) ?? 0) + elapsed);
	}
	const idle = times.get("(idle)") ?? 0;
	times.delete("(idle)");
	const busy = [...times.values()].reduce((sum, time) => sum + time, 0);
	// A thread that did nothing, such as a reader nobody asked, says nothing.
	if (busy / completed < 1) return;
	const each = (time: number): string => (time / completed).toFixed(1);
	console.log(
		`\nA thread: ${each(busy)} µs a write busy, idle for ${((100 * idle) / (busy + idle)).toFixed(0)} % of the time`,
	);
	const rows = [...times]
		.toSorted((a, b) => b[1] - a[1])
		.slice(0, functions)
		.map(([name, time]) => [name, each(time), `${((time / busy) * 100).toFixed(1)} %`]);
	console.log(table(["function", "µs a write", "of the busy time"], rows));
}

function describe(frame: CallFrame | undefined): string {
	if (frame === undefined) return "(unknown)";
	const name = frame.functionName === "" ? "(anonymous)" : frame.functionName;
	const file = frame.url.split("/").slice(-2).join("/");
	return file === "" ? name : `${name} ${file}:${frame.lineNumber + 1}`;
}
