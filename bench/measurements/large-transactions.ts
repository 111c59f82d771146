// Memory of the nodes while one large transaction is captured, logged in fragments and applied, in the formats row and wal.
import { setTimeout as sleep } from "node:timers/promises";
import { post, run } from "../../test/support/http.ts";
import { memoryMiB } from "../processor-time.ts";
import { type Measurement, median, spread, table } from "../report.ts";
import { openSkein } from "../skein/cluster.ts";

const megabytes = 200;
const sampleMs = 50;
/** Of pages that are nearly full: a row takes one. */
const rowBytes = 3_900;
const sql = `WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r LIMIT ${Math.round((megabytes * 1e6) / rowBytes)})
INSERT INTO large (x) SELECT randomblob(${rowBytes}) FROM r`;
const formats = ["row", "wal"] as const;
type Format = (typeof formats)[number];

interface Growth {
	readonly leader: number;
	readonly followers: readonly number[];
}

export const largeTransactions: Measurement = {
	name: "large-transactions",
	title: "Memory for a large transaction",
	async run({ rounds, say }) {
		const measured = formats.map((format) => ({ format, growths: [] as Growth[] }));
		for (let round = 1; round <= rounds; round += 1) {
			for (const { format, growths } of measured) {
				const growth = await measure(format);
				growths.push(growth);
				say(
					`round ${round}, ${format}: leader ${show(growth.leader)}, followers ${growth.followers.map(show).join(", ")}`,
				);
			}
		}
		const followersOf = (format: Format): number[] =>
			measured
				.filter((one) => one.format === format)
				.flatMap(({ growths }) => growths.flatMap((one) => one.followers));
		return {
			rows: [
				{
					measure: `Memory a follower takes for a transaction of ${megabytes} MB`,
					atLeast: "reported",
					aim: "not its size, in wal",
					measured: formats.map((format) => `${format} ${show(median(followersOf(format)))}`).join("; "),
					isMet: null,
				},
			],
			details: [
				`One INSERT … SELECT of ${megabytes} MB on three nodes; the most that each took, not backed by files, beyond what it had before.`,
				"",
				table(
					["format", "leader, MiB", "follower, MiB"],
					measured.map(({ format, growths }) => [
						format,
						spread(growths.map(({ leader }) => leader)),
						spread(followersOf(format)),
					]),
				),
			].join("\n"),
		};
	},
};

function show(mebibytes: number): string {
	return `${mebibytes.toFixed(0)} MiB`;
}

async function measure(format: Format): Promise<Growth> {
	await using cluster = await openSkein();
	const leader = await cluster.leader();
	await post(leader.url, "/cluster/format", { format });
	await run(leader.url, "CREATE TABLE large (id INTEGER PRIMARY KEY, x BLOB)");
	// The log's cache and all code have their memory already.
	for (let small = 0; small < 40; small += 1) await run(leader.url, sql.replace(/LIMIT \d+/, "LIMIT 400"));
	const nodes = [leader, ...(await cluster.followers())];
	const own = (pid: number): number => memoryMiB(pid).anonymous;
	const before = nodes.map(({ pid }) => own(pid));
	const most = [...before];
	let isOver = false;
	const over = run(leader.url, sql)
		.then(() => sleep(2_000))
		.finally(() => {
			isOver = true;
		});
	while (!isOver) {
		for (const [at, { pid }] of nodes.entries()) most[at] = Math.max(most[at] ?? 0, own(pid));
		await sleep(sampleMs);
	}
	await over;
	const [ofLeader = 0, ...followers] = most.map((mebibytes, at) => mebibytes - (before[at] ?? 0));
	return { leader: ofLeader, followers };
}
