// How long one client waits for a quorum write when nobody else writes, against what the disk and the network alone take.
import { join } from "node:path";
import { run } from "../children.ts";
import type { Floor } from "../load/floor-process.ts";
import { createLoadTable, httpLoad } from "../load/http-load.ts";
import type { TurnsFigures, TurnsOptions } from "../load/turns-process.ts";
import { openEtcd } from "../peers/etcd.ts";
import { openPostgres } from "../peers/postgres.ts";
import { type Measurement, median, show, spread, table } from "../report.ts";
import { openSkein } from "../skein/cluster.ts";
import { nodeBinary } from "../skein/install.ts";

const warmUpSeconds = 10;

const one = { clients: 1, connections: 1 } as const;

export const latency: Measurement = {
	name: "latency",
	title: "Latency of one client's write",
	async run({ rounds, seconds, say }) {
		const skein: SkeinFigures[] = [];
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
			skein.push(measured);
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
				`round ${round}: Skein ${show(measured.turns.writeMs.p50, 2)} ms in turns with ${show(measured.turns.floorMs, 3)} ms, ` +
					`alone ${show(measured.aloneMs.p50, 2)} ms; loops: fdatasync ${show(floor.syncMs, 3)} ms, round trip ${show(floor.roundTripMs, 3)} ms`,
			);
		}
		const writeMs = median(skein.map(({ turns }) => turns.writeMs.p50));
		const floorMs = median(skein.map(({ turns }) => turns.floorMs));
		const ratio = writeMs / floorMs;
		const aloneMs = skein.map((each) => each.aloneMs.p50);
		const loopsMs = floors.map((each) => each.syncMs + each.roundTripMs);
		const rows = (
			[
				["Skein p50, in turns", skein.map(({ turns }) => turns.writeMs.p50), 2],
				["Skein p99, in turns", skein.map(({ turns }) => turns.writeMs.p99), 2],
				[
					"the floor: a round trip with one fdatasync in it, in turns",
					skein.map(({ turns }) => turns.floorMs),
					3,
				],
				["Skein p50, one write behind the other", aloneMs, 2],
				["Skein p99, one write behind the other", skein.map((each) => each.aloneMs.p99), 2],
				["etcd p50, one write behind the other", etcd, 2],
				["PostgreSQL, ANY 1, mean, one write behind the other", postgres, 2],
				["fdatasync, in a loop", floors.map((each) => each.syncMs), 3],
				["loopback round trip, in a loop", floors.map((each) => each.roundTripMs), 3],
			] as const
		).map(([name, values, digits]) => [name, spread(values, digits)]);
		return {
			rows: [
				{
					measure: "Write latency p50 with 1 client, against one fdatasync and one loopback round trip",
					atLeast: "≤ 6×",
					aim: "≤ 3×",
					measured: `${show(ratio, 1)}× (${show(writeMs, 2)} ms to ${show(floorMs, 3)} ms, in turns)`,
					isMet: ratio <= 6,
				},
			],
			details: [
				"One client against the leader takes turns, with 2 ms of rest before each: a write, then a round trip of 200 bytes",
				"to a process that only overwrites 4 KiB of a file and calls `fdatasync` before it answers, all in Node.js.",
				"Beside that each by itself, in a loop without rest: what is then called a floor is faster than any process is",
				`that has to wake up first, and by that measure Skein is at ${show(median(aloneMs) / median(loopsMs), 1)}×.`,
				`Skein has served 64 connections for ${warmUpSeconds} s before: a server that has just been started is slower.`,
				"",
				table(["", "ms"], rows),
			].join("\n"),
		};
	},
};

interface SkeinFigures {
	readonly turns: TurnsFigures;
	readonly aloneMs: { readonly p50: number; readonly p99: number };
}

async function measureSkein(seconds: number): Promise<SkeinFigures> {
	await using cluster = await openSkein();
	const leader = await cluster.leader();
	await createLoadTable(leader.url, 0);
	const load = { kind: "write", port: leader.port, connections: 1 } as const;
	// V8 compiles what runs often: a server is as fast as it will be only after many thousand requests.
	await httpLoad({ ...load, connections: 64, seconds: warmUpSeconds });
	await httpLoad({ ...load, seconds: seconds / 2 });
	const aloneMs = (await httpLoad({ ...load, seconds })).latencyMs;
	const options: TurnsOptions = { port: leader.port, seconds };
	const output = await run(nodeBinary, [
		join(import.meta.dirname, "../load/turns-process.ts"),
		JSON.stringify(options),
	]);
	const turns: TurnsFigures = JSON.parse(output);
	return { turns, aloneMs };
}
