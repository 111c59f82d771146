// Leadership handed over on purpose under load, by order and by SIGTERM: the longest a client waits, and whether it sees an error.
import { setTimeout as sleep } from "node:timers/promises";
import { post } from "../../test/support/http.ts";
import { createWritersTable, lostWrites, startWriters, type Writers } from "../load/writers.ts";
import { type Measurement, median, type Row, show } from "../report.ts";
import { openSkein, type SkeinCluster } from "../skein/cluster.ts";

const clients = 16;
const quietMs = 1_000;
/** After the handover a client may still be on its way to the new leader. */
const afterMs = 1_000;

type Way = "transfer" | "SIGTERM";

export const handover: Measurement = {
	name: "handover",
	title: "Handover",
	async run({ events, say }) {
		await using cluster = await openSkein();
		await createWritersTable((await cluster.leader()).url);
		const acknowledged = new Set<number>();
		const errors = new Map<string, number>();
		const pauses: Record<Way, number[]> = { transfer: [], SIGTERM: [] };
		const ordinary: number[] = [];
		let nextId = 1;
		for (let event = 0; event < events; event += 1) {
			const way: Way = event % 2 === 0 ? "transfer" : "SIGTERM";
			const writers = startWriters(cluster.nodes, clients, nextId);
			await sleep(quietMs);
			const startedAt = performance.now();
			const old = await handOver(cluster, way);
			await sleep(afterMs);
			await writers.stop();
			pauses[way].push(longestAround(writers, startedAt, startedAt + afterMs));
			// What the longest write takes while nothing happens: the machine is shared, and not all is the handover's.
			ordinary.push(longestAround(writers, startedAt - quietMs / 2, startedAt - 50));
			say(
				`${event + 1} of ${events}: ${way} of ${old}: longest ${show(pauses[way].at(-1) ?? 0)} ms, before it ${show(ordinary.at(-1) ?? 0)} ms`,
			);
			for (const { id } of writers.acknowledged) {
				acknowledged.add(id);
				nextId = Math.max(nextId, id);
			}
			for (const [code, count] of writers.errors) errors.set(code, (errors.get(code) ?? 0) + count);
			nextId += 1_000;
			const stopped = cluster.nodes.find((node) => !node.isRunning);
			await stopped?.start();
		}
		const lost = await lostWrites(cluster.nodes, acknowledged);
		const row = (way: Way, measure: string): Row => ({
			measure,
			atLeast: "≤ 250 ms, no error",
			aim: "≤ 50 ms",
			measured: `longest ${show(Math.max(...pauses[way]))} ms, median ${show(median(pauses[way]))} ms, ${errors.size === 0 ? "no error" : "errors"}`,
			isMet: Math.max(...pauses[way]) <= 250 && errors.size === 0,
		});
		return {
			rows: [
				row("transfer", "Handover by `skein transfer` under load: longest pause seen by a client"),
				...(pauses.SIGTERM.length === 0
					? []
					: [row("SIGTERM", "Handover by SIGTERM under load: longest pause seen by a client")]),
				{
					measure: "Acknowledged quorum writes lost in those",
					atLeast: "0",
					aim: "0",
					measured: `${lost} of ${show(acknowledged.size)}`,
					isMet: lost === 0,
				},
			],
			details: [
				`${clients} clients on all three nodes, with Skein's own client. The pause is the longest time that a write took`,
				"which was on its way at the handover or in the second after it.",
				"",
				`By order, ms: ${pauses.transfer.map((time) => show(time)).join(", ")}.`,
				`By SIGTERM, ms: ${pauses.SIGTERM.map((time) => show(time)).join(", ")}.`,
				`The longest write in the half second before each, ms: ${ordinary.map((time) => show(time)).join(", ")}.`,
				`Errors that the client let through: ${errors.size === 0 ? "none" : JSON.stringify(Object.fromEntries(errors))}.`,
			].join("\n"),
		};
	},
};

async function handOver(cluster: SkeinCluster, way: Way): Promise<string> {
	const leader = await cluster.leader();
	if (way === "SIGTERM") {
		await leader.end("SIGTERM");
		return leader.id;
	}
	const answer = await post(leader.url, "/cluster/transfer", {});
	if (answer.status !== 200) throw new Error(`the transfer failed: ${answer.status} ${answer.body}`);
	return leader.id;
}

function longestAround({ acknowledged }: Writers, from: number, to: number): number {
	return acknowledged
		.filter((write) => write.endedAt > from && write.startedAt < to)
		.reduce((longest, write) => Math.max(longest, write.endedAt - write.startedAt), 0);
}
