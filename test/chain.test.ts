/**
 * Mode chain on real processes: linearizable reads on any member see every write that was answered; a member of the chain
 * whose process stands still (SIGSTOP), and the leader, which dies (SIGKILL), cost one pause, and no write.
 */
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";
import { get, post, run, sql } from "./support/http.ts";
import { until } from "./support/until.ts";

const cluster = useCluster({ settings: { acknowledgement: { mode: "chain" } } });

async function look(url: string): Promise<number> {
	const answer = await post(url, "/sql", { sql: "select tick from clock" }, { timeoutMs: 15_000 });
	expect(answer.status).toBe(200);
	return JSON.parse(answer.body).rows[0][0];
}

async function write(url: string, tick: number): Promise<void> {
	const key = `tick ${tick}`;
	const answer = await sql(
		url,
		{ sql: "update clock set tick = tick + 1, last = ?", args: [tick] },
		{ headers: { "idempotency-key": key }, timeoutMs: 15_000 },
	);
	expect(answer).toMatchObject({ ok: true });
}

async function chainOf(url: string): Promise<string[]> {
	const { body } = await get(url, "/cluster");
	return JSON.parse(body).databases.default.chain;
}

test("every member reads what was answered, whoever stands still or dies", async () => {
	const leader = await cluster().leader();
	const { nodes } = cluster();
	await run(leader.url, "create table clock (tick integer, last integer)");
	await run(leader.url, "insert into clock values (0, 0)");
	const order = await until({ what: "a chain of all", timeoutMs: 15_000 }, async () => {
		const ids = await chainOf(leader.url);
		return ids.length === 2 ? ids : null;
	});

	let tick = 0;
	async function writeAndLook(times: number, all: typeof nodes): Promise<void> {
		for (let each = 0; each < times; each++) {
			await write(all[tick % all.length]?.url ?? leader.url, ++tick);
			const seen = await Promise.all(all.map((node) => look(node.url)));
			expect(seen).toEqual(all.map(() => tick));
		}
	}
	await writeAndLook(50, nodes);

	const middle = nodes.find(({ id }) => id === order[0]);
	if (middle === undefined) throw new Error("no middle");
	middle.pause();
	await writeAndLook(
		10,
		nodes.filter((node) => node !== middle),
	);
	middle.resume();
	expect(await look(middle.url)).toBe(tick);
	await until({ what: "the chain of all again", timeoutMs: 15_000 }, async () =>
		(await chainOf(leader.url)).length === 2 ? true : null,
	);

	await leader.kill();
	await writeAndLook(
		10,
		nodes.filter((node) => node !== leader),
	);
	await leader.start();
	await writeAndLook(10, nodes);
});
