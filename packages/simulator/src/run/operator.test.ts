/** Members that change on a calm cluster: new machines take part, removed ones go on running and disturb nobody. */
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { createCluster } from "../cluster/cluster.ts";
import { halvesOf } from "../cluster/configurations.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import { registersProfile } from "../machine/store.ts";
import type { WorldEvent } from "../trace/event.ts";
import { calmDisk } from "../world/disk-settings.ts";
import { leavesMajority } from "../world/fault-atlas.ts";
import { calmNetwork } from "../world/network-settings.ts";
import { createOperator } from "./operator.ts";
import { drawSettings } from "./swarm.ts";

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function fail(error: unknown): never {
	throw error;
}

function start(seed: number, spent: ReadonlySet<string>) {
	const scheduler = createScheduler(settle);
	const chance = createChance(seed);
	const told: WorldEvent[] = [];
	const tell = (event: unknown): number => told.push(event as WorldEvent);
	const cluster = createCluster({
		size: 3,
		spares: 6,
		scheduler,
		chance: chance.fork("cluster"),
		profile: registersProfile(settle, crc32),
		settings: drawSettings(chance.fork("settings"), 3),
		networkSettings: calmNetwork,
		diskSettingsOf: () => calmDisk,
		storeSettings: {
			payloads: "group",
			executeMs: 0.05,
			readMs: 0.05,
			storedOutcomeAgeMs: 3_600_000,
			maxTransactionBytes: 1_000_000,
			format: { first: "row", changesEveryMs: null },
		},
		tell,
		observe: () => {},
	});
	const operator = createOperator({
		cluster,
		chance: chance.fork("operator"),
		tell,
		spent: () => spent,
		start: (member) => member.start(),
		onOutrage: fail,
	});
	for (const member of cluster.members) member.start();
	const change = (): void => {
		operator.change(null);
		scheduler.after(700, change);
	};
	scheduler.after(2_000, change);
	return { scheduler, cluster, told };
}

test("machines come and go, and those who are members hold the same; those who were removed leave them alone", async () => {
	let newVoters = 0;
	let removed = 0;
	for (let seed = 1; seed <= 4; seed++) {
		const { scheduler, cluster, told } = start(seed, new Set());
		await scheduler.runUntil(25_000, () => cluster.look());
		expect(cluster.broken).toBe(null);
		const leaders = cluster.members.filter(({ core }) => core?.established === true);
		expect(leaders.length).toBe(1);
		const view = leaders[0]?.core;
		if (view === null || view === undefined) return;
		const { configuration, lastIndex } = view;
		newVoters += configuration.voters.filter((id) => Number(id.slice(1)) > 3).length;
		removed += configuration.retired.length;
		for (const { id } of configuration.members) expect(cluster.member(id).core?.lastIndex).toBe(lastIndex);
		for (const id of configuration.retired) expect(cluster.member(id).state).toBe("running");
		const outcomes = told.filter(({ type }) => type === "members-changed");
		expect(outcomes.filter(({ outcome }) => outcome === "done").length).toBeGreaterThan(3);
		// Nobody was deposed but by his own removal.
		const terms = new Set(told.filter(({ type }) => type === "role").map(({ term }) => term));
		const leaves = told.filter(
			({ type, what }) => type === "change-members" && /remove|demote/.test(String(what)),
		);
		expect(terms.size).toBeLessThan(4 + leaves.length);
	}
	expect(newVoters).toBeGreaterThan(3);
	expect(removed).toBeGreaterThan(3);
});

test("the operator asks for nothing that would leave damaged disks a majority", async () => {
	const spent = new Set(["n1"]);
	for (let seed = 1; seed <= 4; seed++) {
		const { scheduler, cluster } = start(seed, spent);
		let seen = 0;
		await scheduler.runUntil(15_000, () => {
			cluster.look();
			seen++;
			for (const voters of halvesOf(cluster.configurations.live)) {
				expect(leavesMajority(voters, [...spent])).toBe(true);
			}
		});
		expect(seen).toBeGreaterThan(100);
	}
});
