// SIGKILL of the leader under load, again and again: how long until a write is acknowledged, and what was lost.
import { setTimeout as sleep } from "node:timers/promises";
import { view } from "../../test/support/http.ts";
import { until } from "../../test/support/until.ts";
import { createWritersTable, lostWrites, startWriters } from "../load/writers.ts";
import { type Measurement, median, quantile, show } from "../report.ts";
import { openSkein, type SkeinCluster } from "../skein/cluster.ts";

const clients = 16;
const quietMs = 1_000;
const limitMs = 15_000;

export const failover: Measurement = {
	name: "failover",
	title: "Failover",
	async run({ events, say }) {
		await using cluster = await openSkein();
		await createWritersTable((await cluster.leader()).url);
		const times: number[] = [];
		const acknowledged = new Set<number>();
		const errors = new Map<string, number>();
		let nextId = 1;
		for (let event = 1; event <= events; event += 1) {
			// New clients each time, so that a third of them is at the leader again.
			const writers = startWriters(cluster.nodes, clients, nextId);
			await sleep(quietMs);
			const leader = await cluster.leader();
			const killedAt = performance.now();
			await leader.end("SIGKILL");
			const first = await writers.firstAfter(killedAt, limitMs);
			times.push(first.endedAt - killedAt);
			say(
				`${event} of ${events}: ${leader.id} killed, the first write acknowledged after ${show(first.endedAt - killedAt)} ms`,
			);
			await leader.start();
			await sleep(quietMs / 2);
			await writers.stop();
			for (const { id } of writers.acknowledged) {
				acknowledged.add(id);
				nextId = Math.max(nextId, id);
			}
			for (const [code, count] of writers.errors) errors.set(code, (errors.get(code) ?? 0) + count);
			// Also past the ids that were given out and not acknowledged.
			nextId += 1_000;
			await caughtUp(cluster);
		}
		const lost = await lostWrites(cluster.nodes, acknowledged);
		const p50 = median(times);
		const longest = Math.max(...times);
		return {
			rows: [
				{
					measure: `Failover: SIGKILL of the leader under load to the first acknowledged write, ${events} times`,
					atLeast: "p50 ≤ 1 s, max ≤ 3 s",
					aim: "p50 ≤ 500 ms",
					measured: `p50 ${show(p50)} ms, max ${show(longest)} ms`,
					isMet: p50 <= 1_000 && longest <= 3_000,
				},
				{
					measure: "Acknowledged quorum writes lost in those",
					atLeast: "0",
					aim: "0",
					measured: `${lost} of ${show(acknowledged.size)}`,
					isMet: lost === 0,
				},
			],
			details: [
				`${clients} clients on all three nodes, default settings. The time ends with the first acknowledgement of a`,
				"write that was begun after the kill, as Skein's own client sees it, its pauses between tries included.",
				"",
				`All ${times.length}, in ms: ${times.map((time) => show(time)).join(", ")}; p90 ${show(quantile(times, 0.9))}.`,
				`Errors that the client let through: ${errors.size === 0 ? "none" : JSON.stringify(Object.fromEntries(errors))}.`,
			].join("\n"),
		};
	},
};

async function caughtUp(cluster: SkeinCluster): Promise<void> {
	const { url } = await cluster.leader();
	await until({ what: "all nodes to have everything", timeoutMs: 30_000 }, async () => {
		const { commitIndex, members } = await view(url);
		return Object.values(members).every((member) => (member.matchIndex ?? 0) >= commitIndex);
	});
}
