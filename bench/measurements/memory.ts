// Memory of nodes that nobody asks anything, and of the same after a load.
import { setTimeout as sleep } from "node:timers/promises";
import { createLoadTable, httpLoad } from "../load/http-load.ts";
import { memoryMiB } from "../processor-time.ts";
import { type Measurement, median, spread, table } from "../report.ts";
import { openSkein } from "../skein/cluster.ts";

const idleMs = 10_000;

export const memory: Measurement = {
	name: "memory",
	title: "Memory of a node",
	async run({ rounds, seconds, say }) {
		const idle: number[] = [];
		const anonymous: number[] = [];
		const loaded: number[] = [];
		for (let round = 1; round <= rounds; round += 1) {
			await using cluster = await openSkein();
			const leader = await cluster.leader();
			await sleep(idleMs);
			for (const pid of cluster.pids()) {
				const { resident, anonymous: own } = memoryMiB(pid);
				idle.push(resident);
				anonymous.push(own);
			}
			await createLoadTable(leader.url, 0);
			await httpLoad({ kind: "write", port: leader.port, connections: 64, seconds });
			await sleep(idleMs);
			for (const pid of cluster.pids()) loaded.push(memoryMiB(pid).resident);
			say(
				`round ${round}: idle ${idle.slice(-3).map(Math.round).join(", ")} MiB; after a load ${loaded.slice(-3).map(Math.round).join(", ")} MiB`,
			);
		}
		return {
			rows: [
				{
					measure: "Memory of an idle node",
					atLeast: "≤ 120 MB",
					aim: "≤ 80 MB",
					measured: `${median(idle).toFixed(0)} MiB resident, ${median(anonymous).toFixed(0)} MiB of it not backed by files`,
					isMet: Math.max(...idle) * 1.048576 <= 120,
				},
			],
			details: [
				`Three nodes, ${idleMs / 1_000} s after they started, and ${idleMs / 1_000} s after ${seconds} s of writes by 64 clients.`,
				"",
				table(
					["", "MiB"],
					[
						["idle, resident", spread(idle)],
						["idle, not backed by files", spread(anonymous)],
						["after the load, resident", spread(loaded)],
					],
				),
			].join("\n"),
		};
	},
};
