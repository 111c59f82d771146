import { expect, test } from "vitest";
import { startLeadershipChanges } from "./leadership-changes.ts";
import { createCalmWorld, fail } from "./testing/calm-world.ts";

test("whoever never led may lead when it is asked for, also beside a witness, which never may", async () => {
	const { scheduler, chance, cluster, tell } = createCalmWorld({ seed: 1, size: 3, witnesses: 1 });
	const leadership = startLeadershipChanges({
		cluster,
		scheduler,
		chance: chance.fork("leadership"),
		tell,
		prioritize: () => {},
		everyMs: null,
		onOutrage: fail,
	});
	const second = cluster.member("n2");
	const priority = (): string | undefined =>
		second.core?.configuration.members.find(({ id }) => id === "n2")?.priority;
	for (const member of cluster.members) member.start();
	await scheduler.runUntil(3_000, () => cluster.look());
	const wishNever = (): void =>
		second.server?.life.enter(() => {
			const changes = [{ change: "priority", id: "n2", priority: "never" }] as const;
			second.server?.service.changeMembers({ changes, confirm: null, dryRun: false }).catch(fail);
		});
	wishNever();
	await scheduler.runUntil(6_000, () => cluster.look());
	expect(priority()).toBe("never");
	leadership.permit([second, cluster.member("n3")], () => priority() === undefined);
	await scheduler.runUntil(9_000, () => cluster.look());
	expect(priority()).toBe(undefined);
	// As one does that was on its way when it was taken back.
	wishNever();
	const seen = new Set<string | undefined>();
	await scheduler.runUntil(12_000, () => {
		cluster.look();
		seen.add(priority());
	});
	expect([seen.has("never"), priority()]).toEqual([true, undefined]);
});
