// Quorum writes a second of three nodes under 64 clients, against etcd and PostgreSQL, and what one costs.
import { createLoadTable, httpLoad } from "../load/http-load.ts";
import { type EtcdFigures, openEtcd } from "../peers/etcd.ts";
import { openPostgres, type PostgresFigures } from "../peers/postgres.ts";
import { processorTimeMs } from "../processor-time.ts";
import { type Measurement, median, type Report, type Settings, show, spread, table } from "../report.ts";
import { openSkein } from "../skein/cluster.ts";

const clients = 64;
const rowsPerRequest = 100;

interface SkeinFigures {
	readonly perSecond: number;
	readonly rowsPerSecond: number;
	readonly p50Ms: number;
	readonly p99Ms: number;
	/** Of the leader, and of all three nodes, for one acknowledged request. */
	readonly leaderMicroseconds: number;
	readonly nodesMicroseconds: number;
	readonly loadMicroseconds: number;
}

export const writes: Measurement = {
	name: "writes",
	title: "Quorum writes a second",
	async run(settings) {
		const single: SkeinFigures[] = [];
		const many: SkeinFigures[] = [];
		const etcd: EtcdFigures[] = [];
		const postgres: PostgresFigures[] = [];
		// One after the other and again, so that a slower minute of the machine is everybody's.
		for (let round = 1; round <= settings.rounds; round += 1) {
			const skein = await measureSkein(settings);
			single.push(skein.single);
			many.push(skein.many);
			etcd.push(await measureEtcd(settings));
			postgres.push(await measurePostgres(settings));
			settings.say(
				`round ${round}: Skein ${show(single.at(-1)?.perSecond ?? 0)}, with ${rowsPerRequest} rows a request ${show(many.at(-1)?.rowsPerSecond ?? 0)} rows; etcd ${show(etcd.at(-1)?.perSecond ?? 0)}, PostgreSQL ${show(postgres.at(-1)?.perSecond ?? 0)}`,
			);
		}
		return report(single, many, etcd, postgres);
	},
};

async function measureSkein(settings: Settings): Promise<{ single: SkeinFigures; many: SkeinFigures }> {
	await using cluster = await openSkein();
	const leader = await cluster.leader();
	await createLoadTable(leader.url, 0);
	const measure = async (rows: number, seconds: number): Promise<SkeinFigures> => {
		const ofLeader = processorTimeMs([leader.pid]);
		const ofAll = processorTimeMs(cluster.pids());
		const load = {
			kind: "write",
			port: leader.port,
			connections: clients,
			seconds,
			rowsPerRequest: rows,
		} as const;
		const figures = await httpLoad(load);
		const each = (milliseconds: number): number => (milliseconds * 1_000) / figures.completed;
		return {
			perSecond: figures.perSecond,
			rowsPerSecond: figures.perSecond * rows,
			p50Ms: figures.latencyMs.p50,
			p99Ms: figures.latencyMs.p99,
			leaderMicroseconds: each(processorTimeMs([leader.pid]) - ofLeader),
			nodesMicroseconds: each(processorTimeMs(cluster.pids()) - ofAll),
			loadMicroseconds: each(figures.processorMs),
		};
	};
	// Code that has never run is not compiled yet: etcd and PostgreSQL come compiled.
	await measure(1, settings.seconds / 2);
	const single = await measure(1, settings.seconds);
	return { single, many: await measure(rowsPerRequest, settings.seconds) };
}

async function measureEtcd(settings: Settings): Promise<EtcdFigures> {
	await using etcd = await openEtcd();
	const load = { mode: "write", clients, connections: clients } as const;
	await etcd.load({ ...load, seconds: 1 });
	return await etcd.load({ ...load, seconds: settings.seconds });
}

async function measurePostgres(settings: Settings): Promise<PostgresFigures> {
	await using postgres = await openPostgres();
	await postgres.write({ clients, seconds: 1 });
	return await postgres.write({ clients, seconds: settings.seconds });
}

function report(
	single: readonly SkeinFigures[],
	many: readonly SkeinFigures[],
	etcd: readonly EtcdFigures[],
	postgres: readonly PostgresFigures[],
): Report {
	const perSecond = (figures: readonly { perSecond: number }[]): number[] =>
		figures.map((each) => each.perSecond);
	const singleRate = median(perSecond(single));
	const toEtcd = singleRate / median(perSecond(etcd));
	const toPostgres = singleRate / median(perSecond(postgres));
	const manyToSingle = median(many.map((each) => each.rowsPerSecond)) / singleRate;
	const cost = median(single.map((each) => each.nodesMicroseconds));
	const latency = (figures: readonly { p50Ms: number; p99Ms: number }[]): string[] => [
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
				measure: `Quorum writes a second, ${clients} connections, against etcd`,
				atLeast: "≥ 1×",
				aim: "≥ 2×",
				measured: `${toEtcd.toFixed(2)}× (${show(singleRate)} to ${show(median(perSecond(etcd)))})`,
				isMet: toEtcd >= 1,
			},
			{
				measure: "The same against PostgreSQL 15, two standbys, ANY 1",
				atLeast: "reported",
				aim: "≥ 1×",
				measured: `${toPostgres.toFixed(2)}× (${show(singleRate)} to ${show(median(perSecond(postgres)))})`,
				isMet: null,
			},
			{
				measure: `${rowsPerRequest} rows a request: rows a second against its single-row figure`,
				atLeast: "≥ 10×",
				aim: "≥ 20×",
				measured: `${manyToSingle.toFixed(1)}× (${show(manyToSingle * singleRate)})`,
				isMet: manyToSingle >= 10,
			},
			{
				measure: "Processor time of an acknowledged write, three nodes together",
				atLeast: "reported",
				aim: "≤ 90 µs",
				measured: `${show(cost)} µs, of it ${show(median(single.map((each) => each.leaderMicroseconds)))} µs on the leader`,
				isMet: null,
			},
		],
		details: [
			"Three nodes each on this machine, all data on one disk. Closed loop, a connection a client, against the",
			"leader or primary; a write is one row with a payload of 100 bytes in its own transaction, acknowledged when",
			"it is on two of three disks. Skein: HTTP, `POST /v2/pipeline`. etcd: its own Go client. PostgreSQL:",
			"`pgbench -M prepared`. Each round starts fresh servers; medians, in brackets the lowest and highest round.",
			"",
			table(
				["", "a second", "p50 ms", "p99 ms", "µs of the nodes", "µs of the leader", "µs of the load"],
				[
					["Skein", spread(perSecond(single)), ...latency(single), ...costs(single)],
					[
						`Skein, ${rowsPerRequest} rows a request`,
						spread(perSecond(many)),
						...latency(many),
						...costs(many),
					],
					["etcd", spread(perSecond(etcd)), ...latency(etcd), "", "", ""],
					[
						"PostgreSQL",
						spread(perSecond(postgres)),
						`mean ${spread(
							postgres.map((each) => each.averageMs),
							1,
						)}`,
						"",
						"",
						"",
						"",
					],
				],
			),
		].join("\n"),
	};
}

function costs(figures: readonly SkeinFigures[]): string[] {
	return [
		spread(figures.map((each) => each.nodesMicroseconds)),
		spread(figures.map((each) => each.leaderMicroseconds)),
		spread(figures.map((each) => each.loadMicroseconds)),
	];
}
