// The mode of writes that name none: chosen for the whole cluster, by a logged entry.
import { expect, test } from "vitest";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { SettingChange } from "../database/setting-change.ts";
import { silentLogger } from "../world/logger.ts";
import { createDefaultAcknowledgement } from "./default-acknowledgement.ts";
import {
	type Cluster,
	createCluster,
	insert,
	type Member,
	program,
	request,
	watch,
} from "./testing/cluster.ts";

const modeIs = (value: Acknowledgement): SettingChange => ({ name: "acknowledgement", value });

async function modesOf({ members, clock }: Cluster): Promise<unknown[]> {
	const views = members.map((member) => watch(member.node?.service.cluster() ?? Promise.reject()));
	await clock.run(100);
	return views.map((view) => view.value?.databases["default"]?.acknowledgement);
}

async function change({ clock }: Cluster, member: Member, value: Acknowledgement) {
	const changed = watch(member.node?.service.changeSetting(modeIs(value)) ?? Promise.reject());
	await clock.run(500);
	return changed;
}

/** The mode that the answer names. */
async function writtenIn(
	{ clock }: Cluster,
	member: Member | undefined,
	value: string,
	named?: Acknowledgement,
) {
	const options = { ...request, acknowledgement: named ?? null };
	const stream = member?.node?.service.openStream();
	const written = watch(stream?.run(program(insert(value)), options) ?? Promise.reject());
	await clock.run(300);
	return written.value?.acknowledgement;
}

const follower = (cluster: Cluster, leader: Member): Member | undefined =>
	cluster.members.find((member) => member !== leader);

test("asked of a follower: writes through any node go by it, those that name a mode by that; also after all start again", async () => {
	const cluster = await createCluster({ size: 3, seed: 61 });
	const leader = await cluster.leader();
	expect(await modesOf(cluster)).toEqual(["quorum", "quorum", "quorum"]);
	const asked = follower(cluster, leader);
	if (asked === undefined) throw new Error("no follower");
	expect((await change(cluster, asked, { mode: "async" })).value).toEqual({ index: expect.any(Number) });
	expect(await modesOf(cluster)).toEqual(["async", "async", "async"]);
	expect(await writtenIn(cluster, leader, "a")).toEqual({ mode: "async" });
	expect(await writtenIn(cluster, asked, "b")).toEqual({ mode: "async" });
	expect(await writtenIn(cluster, asked, "c", { mode: "quorum" })).toEqual({ mode: "quorum" });
	for (const member of cluster.members) await cluster.stop(member);
	for (const member of cluster.members) await cluster.start(member);
	await cluster.leader();
	expect(await modesOf(cluster)).toEqual(["async", "async", "async"]);
	for (const member of cluster.members) await cluster.stop(member);
});

test("what the first leader was started with is chosen; who was started otherwise goes by it, and says so", async () => {
	const modes: Record<string, Acknowledgement> = {
		n1: { mode: "async" },
		n2: { mode: "sync", strict: false },
		n3: { mode: "chain" },
	};
	const settingsOf = (id: string) => ({ acknowledgement: modes[id] ?? null });
	const cluster = await createCluster({ size: 3, seed: 62, settingsOf });
	const leader = await cluster.leader();
	await cluster.clock.run(500);
	const first = modes[leader.id];
	for (const member of cluster.members) {
		const said = member.lines.filter((line) => line.includes("counts for new clusters only"));
		expect(said.length).toBe(member === leader ? 0 : 1);
	}
	const other = follower(cluster, leader);
	expect(await writtenIn(cluster, other, "a")).toEqual(first);
	// It leads now, and changes nothing.
	const handed = watch(leader.node?.service.transfer(other?.id ?? "") ?? Promise.reject());
	await cluster.clock.run(1_000);
	expect(handed.value).toMatchObject({ leader: other?.id });
	expect(await writtenIn(cluster, leader, "b")).toEqual(first);
	for (const member of cluster.members) await cluster.stop(member);
});

test("a mode that can never be met is refused, and nothing changes", async () => {
	const cluster = await createCluster({ size: 3, seed: 63 });
	const leader = await cluster.leader();
	const asked = follower(cluster, leader) ?? leader;
	const refused = await change(cluster, asked, { mode: "semi-sync", followers: 3 });
	expect(refused.error).toMatchObject({
		code: "BAD_REQUEST",
		message: "semi-sync;k=3 asks for 3 followers, and the cluster has 2 other voters: the mode stays quorum",
	});
	expect((await change(cluster, asked, { mode: "semi-sync", followers: 2 })).value).not.toBeNull();
	expect(await modesOf(cluster)).toEqual(["semi-sync;k=2", "semi-sync;k=2", "semi-sync;k=2"]);
	for (const member of cluster.members) await cluster.stop(member);
});

test("a leader that is deposed with a choice that nobody else has goes by the old one", async () => {
	const cluster = await createCluster({ size: 3, seed: 64 });
	const old = await cluster.leader();
	await cluster.clock.run(500);
	cluster.network.cut(old.id, true);
	const lost = watch(old.node?.service.changeSetting(modeIs({ mode: "async" })) ?? Promise.reject());
	await cluster.clock.run(10_000);
	expect(old.node?.core.lastIndex).toBeGreaterThan(old.node?.core.commitIndex ?? 0);
	cluster.network.cut(old.id, false);
	await cluster.clock.run(2_000);
	expect(lost.error).toMatchObject({ code: "LEADERSHIP_LOST", outcome: "unknown" });
	expect(await modesOf(cluster)).toEqual(["quorum", "quorum", "quorum"]);
	expect(await writtenIn(cluster, old, "a")).toEqual({ mode: "quorum" });
	for (const member of cluster.members) await cluster.stop(member);
});

test("who gets the choice inside a snapshot knows it, and the chain is used while the mode is chain", async () => {
	const cluster = await createCluster({
		size: 3,
		seed: 65,
		settings: { logTailEntries: 0, compactLogBytes: 1, logSegmentBytes: 1_024 },
	});
	const leader = await cluster.leader();
	const late = follower(cluster, leader) ?? leader;
	await cluster.stop(late);
	expect((await change(cluster, leader, { mode: "chain" })).value).not.toBeNull();
	expect(leader.node?.core.isChainUsed).toBe(true);
	for (let number = 0; number < 60; number++) await writtenIn(cluster, leader, "x".repeat(100));
	await cluster.clock.run(3_000);
	await cluster.start(late);
	await cluster.clock.run(5_000);
	expect(late.file.content.acknowledgement).toEqual({ mode: "chain" });
	const own = late.node?.service.ownView();
	expect(own?.databases["default"]?.acknowledgement).toBe("chain");
	expect(leader.node?.core.base.index).toBeGreaterThan(5);
	expect((await change(cluster, leader, { mode: "quorum" })).value).not.toBeNull();
	await cluster.clock.run(11_000);
	expect(leader.node?.core.isChainUsed).toBe(false);
	for (const member of cluster.members) await cluster.stop(member);
});

test("a choice that was applied counts, also where what came with it could not be", async () => {
	const cluster = await createCluster({ size: 3, seed: 66 });
	const leader = await cluster.leader();
	const asked = follower(cluster, leader) ?? leader;
	await cluster.clock.run(500);
	let goOn = (): void => {};
	asked.file.hanging = new Promise((resolve) => {
		goOn = resolve;
	});
	await writtenIn(cluster, leader, "a");
	expect((await change(cluster, leader, { mode: "async" })).value).not.toBeNull();
	await writtenIn(cluster, leader, "b", { mode: "quorum" });
	asked.file.failureBehindSetting = Object.assign(new Error("no room"), { code: "ENOSPC" });
	asked.file.hanging = null;
	goOn();
	await cluster.clock.run(3_000);
	expect(asked.file.failureBehindSetting).toBeNull();
	expect(asked.file.content).toMatchObject({ items: ["a", "b"], acknowledgement: { mode: "async" } });
	expect(asked.node?.service.ownView().databases["default"]?.acknowledgement).toBe("async");
	for (const member of cluster.members) await cluster.stop(member);
});

test("where a choice can never be met each node says so, also when voters go later", () => {
	const lines: string[] = [];
	const warn = (_: unknown, line: string): void => void lines.push(line);
	const mode = createDefaultAcknowledgement({
		own: null,
		opened: { mode: "semi-sync", followers: 2 },
		logger: { ...silentLogger, warn },
		onChange() {},
	});
	const voters = (...ids: string[]) => ({ voters: ids, members: ids.map((id) => ({ id, peer: `${id}:1` })) });
	mode.onConfiguration(voters("n1", "n2", "n3"));
	expect(lines).toEqual([]);
	mode.onConfiguration(voters("n1", "n2"));
	expect(lines).toEqual([
		expect.stringMatching(/^the default mode semi-sync;k=2 asks for more .* will be refused$/),
	]);
});
