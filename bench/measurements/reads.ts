// Linearizable point reads a second on the leader under 64 clients, against etcd's.
import { createLoadTable, httpLoad } from "../load/http-load.ts";
import { openEtcd } from "../peers/etcd.ts";
import { type Measurement, median, show, spread, table } from "../report.ts";
import { openSkein } from "../skein/cluster.ts";

const clients = 64;
const rows = 100_000;
const sharedConnections = 4;

interface Figures {
	readonly perSecond: number;
	readonly p50Ms: number;
	readonly p99Ms: number;
}

export const reads: Measurement = {
	name: "reads",
	title: "Linearizable reads a second",
	async run(settings) {
		const skein: Figures[] = [];
		const own: Figures[] = [];
		const shared: Figures[] = [];
		for (let round = 1; round <= settings.rounds; round += 1) {
			skein.push(await measureSkein(settings.seconds));
			await using etcd = await openEtcd();
			await etcd.fill(rows);
			await etcd.load({ mode: "read", clients, connections: clients, seconds: 1 });
			own.push(await etcd.load({ mode: "read", clients, connections: clients, seconds: settings.seconds }));
			shared.push(
				await etcd.load({ mode: "read", clients, connections: sharedConnections, seconds: settings.seconds }),
			);
			settings.say(
				`round ${round}: Skein ${show(skein.at(-1)?.perSecond ?? 0)}, etcd ${show(own.at(-1)?.perSecond ?? 0)}, etcd on ${sharedConnections} connections ${show(shared.at(-1)?.perSecond ?? 0)}`,
			);
		}
		const rate = (figures: readonly Figures[]): number => median(figures.map((each) => each.perSecond));
		// Against the faster of etcd's two ways.
		const best = Math.max(rate(own), rate(shared));
		const ratio = rate(skein) / best;
		const line = (name: string, figures: readonly Figures[]): string[] => [
			name,
			spread(figures.map((each) => each.perSecond)),
			spread(
				figures.map((each) => each.p50Ms),
				1,
			),
			spread(
				figures.map((each) => each.p99Ms),
				1,
			),
		];
		return {
			rows: [
				{
					measure: `Linearizable point reads a second on the leader, ${clients} connections, against etcd`,
					atLeast: "≥ 1.5×",
					aim: "≥ 3×",
					measured: `${ratio.toFixed(2)}× (${show(rate(skein))} to ${show(best)})`,
					isMet: ratio >= 1.5,
				},
			],
			details: [
				`One of ${show(rows)} rows by its key, at random, ${clients} clients in a closed loop.`,
				"The ratio is to the faster of etcd's two lines.",
				"",
				table(
					["", "a second", "p50 ms", "p99 ms"],
					[
						line("Skein", skein),
						line("etcd, a connection a client", own),
						line(`etcd, ${sharedConnections} connections`, shared),
					],
				),
			].join("\n"),
		};
	},
};

async function measureSkein(seconds: number): Promise<Figures> {
	await using cluster = await openSkein();
	const leader = await cluster.leader();
	await createLoadTable(leader.url, rows);
	const load = { kind: "read", port: leader.port, connections: clients, rows } as const;
	await httpLoad({ ...load, seconds: seconds / 2 });
	const { perSecond, latencyMs } = await httpLoad({ ...load, seconds });
	return { perSecond, p50Ms: latencyMs.p50, p99Ms: latencyMs.p99 };
}
