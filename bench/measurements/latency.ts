// How long one client waits for a quorum write when nobody else writes, against what the disk and the network alone take.
import { join } from "node:path";
import { run } from "../children.ts";
import type { Floor } from "../load/floor-process.ts";
import { createLoadTable, httpLoad } from "../load/http-load.ts";
import { openEtcd } from "../peers/etcd.ts";
import { openPostgres } from "../peers/postgres.ts";
import { type Measurement, median, spread, table } from "../report.ts";
import { openSkein } from "../skein/cluster.ts";
import { nodeBinary } from "../skein/install.ts";

const warmUpSeconds = 10;

const one = { clients: 1, connections: 1 } as const;

export const latency: Measurement = {
	name: "latency",
	title: "Latency of one client's write",
	async run({ rounds, seconds, say }) {
		const skein: number[] = [];
		const tail: number[] = [];
		const floors: Floor[] = [];
		const etcd: number[] = [];
		const postgres: number[] = [];
		for (let round = 1; round <= rounds; round += 1) {
			// On its own, since running nodes take some of the processor for themselves.
			const floor: Floor = JSON.parse(
				await run(nodeBinary, [join(import.meta.dirname, "../load/floor-process.ts")]),
			);
			floors.push(floor);
			const measured = await measureSkein(seconds);
			skein.push(measured.p50);
			tail.push(measured.p99);
			{
				await using peer = await openEtcd();
				await peer.load({ mode: "write", ...one, seconds: 1 });
				etcd.push((await peer.load({ mode: "write", ...one, seconds })).p50Ms);
			}
			{
				await using peer = await openPostgres();
				await peer.write({ ...one, seconds: 1 });
				postgres.push((await peer.write({ ...one, seconds })).averageMs);
			}
			say(
				`round ${round}: Skein ${measured.p50.toFixed(2)} ms; fdatasync ${floor.syncMs.toFixed(3)} ms and round trip ${floor.roundTripMs.toFixed(3)} ms`,
			);
		}
		const floorMs = median(floors.map((each) => each.syncMs + each.roundTripMs));
		const ratio = median(skein) / floorMs;
		return {
			rows: [
				{
					measure: "Write latency p50 with 1 client, against one fdatasync and one loopback round trip",
					atLeast: "≤ 6×",
					aim: "≤ 3×",
					measured: `${ratio.toFixed(1)}× (${median(skein).toFixed(2)} ms to ${floorMs.toFixed(3)} ms)`,
					isMet: ratio <= 6,
				},
			],
			details: [
				"One client, one write at a time, against the leader. The floor: `fdatasync` of 4 KiB that overwrite a file",
				"already written, and a round trip of 200 bytes between two Node.js processes. Skein has served 64 connections",
				`for ${warmUpSeconds} s before: a server that has just been started takes about a fifth longer.`,
				"",
				table(
					["", "ms"],
					[
						["Skein p50", spread(skein, 2)],
						["Skein p99", spread(tail, 2)],
						["etcd p50", spread(etcd, 2)],
						["PostgreSQL, ANY 1, mean", spread(postgres, 2)],
						[
							"fdatasync",
							spread(
								floors.map((each) => each.syncMs),
								3,
							),
						],
						[
							"loopback round trip",
							spread(
								floors.map((each) => each.roundTripMs),
								3,
							),
						],
					],
				),
			].join("\n"),
		};
	},
};

async function measureSkein(seconds: number): Promise<{ readonly p50: number; readonly p99: number }> {
	await using cluster = await openSkein();
	const leader = await cluster.leader();
	await createLoadTable(leader.url, 0);
	const load = { kind: "write", port: leader.port, connections: 1 } as const;
	// V8 compiles what runs often: a server is as fast as it will be only after many thousand requests.
	await httpLoad({ ...load, connections: 64, seconds: warmUpSeconds });
	await httpLoad({ ...load, seconds: seconds / 2 });
	return (await httpLoad({ ...load, seconds })).latencyMs;
}
