// Point reads a second with more members, for each read level: each member has the same share of a core.
import { sql } from "../../test/support/http.ts";
import { createLoadTable, httpLoad } from "../load/http-load.ts";
import { openProcessorShares } from "../processor-share.ts";
import { type Measurement, median, show, spread, table } from "../report.ts";
import { openSkein, type SkeinCluster } from "../skein/cluster.ts";

const memberCounts = [1, 2, 3, 5] as const;
/** Of one core: five of them and the load fit on two. */
const share = 0.12;
/** To each member. */
const connections = 16;
const rows = 10_000;

const levels = ["linearizable", "session", "bounded;max-staleness-ms=1000", "eventual"] as const;
type Level = (typeof levels)[number];

interface Round {
	readonly members: number;
	readonly level: Level;
	readonly perSecond: number;
}

export const readScaling: Measurement = {
	name: "read-scaling",
	title: "Reads with more members",
	async run({ rounds, seconds, say }) {
		const measured: Round[] = [];
		for (let round = 1; round <= rounds; round += 1) {
			for (const members of memberCounts) {
				const of = await measure(members, seconds / 2);
				measured.push(...of);
				say(
					`round ${round}, ${members} members: ${of.map(({ level, perSecond }) => `${level.split(";")[0]} ${show(perSecond)}`).join(", ")}`,
				);
			}
		}
		const figures = (members: number, level: Level): number[] =>
			measured.filter((one) => one.members === members && one.level === level).map((one) => one.perSecond);
		const times = (level: Level): number => median(figures(5, level)) / median(figures(1, level));
		return {
			rows: levels.map((level) => ({
				measure: `Point reads a second with five members, against one: ${level.split(";")[0]}`,
				atLeast: "—",
				aim: "—",
				measured: `${times(level).toFixed(1)}×`,
				isMet: null,
			})),
			details: [
				`One of ${show(rows)} rows by its key, at random; ${connections} clients to each member, in closed loops. Each member may use`,
				`${share * 100} % of one core (a control group of the kernel, ${show(20)} ms a period), as if it had a small machine of its own; the load has the`,
				"rest. Nobody writes meanwhile. Medians of the rounds, lowest and highest.",
				"",
				table(
					["level", ...memberCounts.map((members) => `${members} member${members === 1 ? "" : "s"}`)],
					levels.map((level) => [level, ...memberCounts.map((members) => spread(figures(members, level)))]),
				),
			].join("\n"),
		};
	},
};

async function measure(members: number, seconds: number): Promise<Round[]> {
	using shares = openProcessorShares();
	await using cluster = await openSkein({ nodes: members });
	const leader = await cluster.leader();
	await createLoadTable(leader.url, rows);
	const written = await sql(leader.url, { sql: "create table last (x)" });
	if (!written.ok) throw new Error(written.message);
	// Compiled, and caught up, before there is little to run with.
	await allMembers(cluster, "eventual", null, 2);
	for (const pid of cluster.pids()) shares.limit(pid, share);
	const results: Round[] = [];
	for (const level of levels) {
		const session = level === "session" ? written.session : null;
		const perSecond = await allMembers(cluster, level, session, seconds);
		results.push({ members, level, perSecond });
	}
	return results;
}

async function allMembers(
	cluster: SkeinCluster,
	consistency: Level,
	session: string | null,
	seconds: number,
): Promise<number> {
	const headers = {
		"skein-consistency": consistency,
		...(session !== null && { "skein-session": session }),
	};
	const figures = await Promise.all(
		cluster.nodes.map(({ port }) => httpLoad({ kind: "read", port, connections, rows, seconds, headers })),
	);
	return figures.reduce((sum, { perSecond }) => sum + perSecond, 0);
}
