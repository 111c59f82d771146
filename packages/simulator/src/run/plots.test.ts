/** The long plots on calm clusters: what they are to bring about comes about, and nothing of it stays. */
import { expect, test } from "vitest";
import type { Statement } from "../../../skein/src/database/program.ts";
import { connect, type Reply } from "../load/connection.ts";
import { programOf, statement, statementOf } from "../machine/statements.ts";
import { heldRead } from "./held-read.ts";
import { leftBehind } from "./left-behind.ts";
import { lostCommit } from "./lost-commit.ts";
import { lostDisk } from "./lost-disk.ts";
import { createStage } from "./plot-stage.ts";
import { createCalmWorld, fail } from "./testing/calm-world.ts";
import { twoReigns } from "./two-reigns.ts";

const options = {
	consistency: { level: "linearizable" },
	idempotencyKey: null,
	acknowledgement: null,
	timeoutMs: 5_000,
} as const;

async function world(size: number, seed: number) {
	const { scheduler, chance, settings, cluster, events, tell, ask } = createCalmWorld({ seed, size });
	const { electionTimeoutMs } = settings.consensus;
	const stage = createStage({
		cluster,
		chance: chance.fork("plots"),
		tell,
		electionTimeoutMs,
		later: (delayMs, work) => void scheduler.after(delayMs, work),
		visit: () => {},
		fill: () => {},
		wipe(member) {
			member.wipe();
			return true;
		},
		connect: (member) =>
			connect({ member, scheduler, chance, delayMs: 0.1, isLetIn: false, onOutrage: fail }),
		transfer: (from, to) => void from.server?.service.transfer(to).catch(() => {}),
	});
	const run = (timeouts: number): Promise<void> =>
		scheduler.runUntil(scheduler.now + timeouts * electionTimeoutMs, () => void cluster.look());
	for (const member of cluster.members) member.start();
	await run(10);
	const old = stage.leader();
	if (old === null) throw new Error("nobody leads");
	const termThen = old.core?.term ?? 0;
	// Somebody who writes all the time, everywhere.
	const write = (number: number): void => {
		const member = chance.pick(cluster.members);
		ask(member, { kind: "write", key: "a", value: `${number}` }, 1_000).catch(fail);
		scheduler.after(electionTimeoutMs / 5, () => write(number + 1));
	};
	write(0);
	await run(1);
	return { cluster, stage, run, old, termThen, events };
}

test("an answer to COMMIT is lost on its way, while the leader commits", async () => {
	let lost = 0;
	for (let seed = 1; seed <= 6; seed++) {
		const { cluster, stage, run, old } = await world(3, seed);
		const replies: Reply[] = [];
		const visit: typeof stage.visit = (member, _kind, beforeCommit) => {
			const connection = stage.connect(member);
			const send = (...statements: Statement[]): Promise<Reply> =>
				connection.send(programOf(statements), options, 60_000);
			const write = statementOf({ kind: "write", key: "commit", value: "once" });
			send(statement("BEGIN IMMEDIATE"), write)
				.then(() => {
					beforeCommit?.();
					return send(statement("COMMIT"));
				})
				.then((reply) => replies.push(reply), fail);
		};
		lostCommit({ ...stage, visit }, old);
		await run(25);
		const [reply] = replies;
		const isThere = cluster.members.some(({ store }) => store.registers().get("commit") === "once");
		if (isThere && reply?.type === "error" && reply.error.outcome === "unknown") lost++;
		cluster.dispose();
	}
	expect(lost).toBeGreaterThan(1);
});

test.for([3, 5, 7])("two reigns of one leader among %i, and another one between", async (size) => {
	const { cluster, stage, run, old, termThen, events } = await world(size, 10 + size);
	let isDone = false;
	twoReigns(stage, old, () => {
		isDone = true;
	});
	for (let tries = 0; tries < 60 && !isDone; tries++) await run(1);
	expect(isDone).toBe(true);
	await run(10);
	const reigns = events.filter((event) => event.type === "role" && event["established"] === true);
	const later = reigns.map((event) => ("node" in event ? event["node"] : null));
	const first = later.indexOf(old.id);
	expect(later.slice(first).some((node) => node !== old.id)).toBe(true);
	expect(later.lastIndexOf(old.id)).toBeGreaterThan(first + 1);
	expect(events.filter((event) => event.type === "message" && event["copy"] === true)).not.toEqual([]);
	expect(stage.leader()?.core?.term).toBeGreaterThan(termThen + 1);
	expect(cluster.members.filter(({ paused, keepsClientsOut }) => paused || keepsClientsOut)).toEqual([]);
	const { network } = cluster;
	const ways = stage.ids.flatMap((from) => stage.ids.map((to) => network.isCut(from, to)));
	expect(ways.filter(Boolean)).toEqual([]);
	expect(new Set(cluster.members.map(({ core }) => core?.term)).size).toBe(1);
});

test("a follower is left behind with its lease, and another one leads", async () => {
	let found = 0;
	for (let seed = 1; seed <= 6; seed++) {
		const { cluster, stage, run, old, termThen, events } = await world(3, 40 + seed);
		const asked: string[] = [];
		leftBehind({ ...stage, visit: (member, kind) => void asked.push(`${member.id} ${kind}`) }, old);
		await run(6);
		const plot = events.find((event) => event.type === "plot");
		const behind = plot !== undefined && "companions" in plot ? String(plot["companions"]) : "";
		const leader = stage.leader();
		if (asked.includes(`${behind} eventual-read`) && (leader?.core?.term ?? 0) > termThen) found++;
		await run(5);
		const { network } = cluster;
		expect(stage.ids.flatMap((from) => stage.ids.map((to) => network.isCut(from, to))).some(Boolean)).toBe(
			false,
		);
		cluster.dispose();
	}
	expect(found).toBeGreaterThan(3);
});

test.for([3, 5])(
	"a leader among %i sleeps until another one reigns, and its clients come back",
	async (size) => {
		const { cluster, stage, run, old, termThen } = await world(size, 20 + size);
		let isDone = false;
		let reigning = 0;
		heldRead(stage, old, () => {
			isDone = true;
		});
		for (let tries = 0; tries < 1_000 && !isDone; tries++) {
			await run(0.02);
			const isDeposed = cluster.members.some(({ core }) => core?.established && core.term > termThen);
			// The clients' door is open, and the old leader does not know yet.
			if (isDeposed && !old.keepsClientsOut && old.core?.established === true) reigning++;
		}
		expect(isDone).toBe(true);
		expect(reigning).toBeGreaterThan(4);
		await run(5);
		expect(old.paused).toBe(false);
		expect(old.core?.role).toBe("follower");
		expect(cluster.members.filter(({ core }) => core?.established === true).length).toBe(1);
	},
);

test.for([3, 5])(
	"of a bare majority among %i one loses its disk, and whoever leads then has all",
	async (size) => {
		const { cluster, stage, run, old, termThen, events } = await world(size, 60 + size);
		lostDisk(stage, old);
		let known = 0;
		for (let tries = 0; tries < 60; tries++) {
			known = Math.max(known, old.core?.commitIndex ?? 0);
			await run(0.05);
		}
		const [lost] = cluster.members.filter(({ hasLostDisk }) => hasLostDisk);
		expect(events.filter(({ type }) => type === "wipe").length).toBe(1);
		await run(15);
		expect(lost?.state).toBe("running");
		expect(lost?.core?.commitIndex).toBeLessThan(2);
		expect(stage.leader()?.core?.term).toBeGreaterThan(termThen);
		expect(stage.leader()?.core?.commitIndex).toBeGreaterThan(known);
		expect(known).toBeGreaterThan(5);
	},
);
