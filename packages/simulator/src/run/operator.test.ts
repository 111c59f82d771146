/** Members that change on a calm cluster: new machines take part, removed ones go on running and disturb nobody. */
import { expect, test } from "vitest";
import { halvesOf } from "../cluster/configurations.ts";
import { leavesMajority } from "../world/fault-atlas.ts";
import { createOperator } from "./operator.ts";
import { createCalmWorld, fail } from "./testing/calm-world.ts";

function start(seed: number, spent: ReadonlySet<string>) {
	const { scheduler, chance, cluster, events, tell } = createCalmWorld({ seed, size: 3, spares: 6 });
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
	return { scheduler, cluster, told: events };
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
