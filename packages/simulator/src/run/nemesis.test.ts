/** A member whose disk was damaged where no start may miss it must not run, and the nemesis says which those are. */
import { expect, test } from "vitest";
import type { AtlasProfile } from "../world/fault-atlas.ts";
import { drawFaults, type FaultKind } from "./faults.ts";
import { startNemesis } from "./nemesis.ts";
import { createCalmWorld, fail } from "./testing/calm-world.ts";

function start(seed: number, atlas: AtlasProfile, everyMs: Partial<Record<FaultKind, number>>) {
	const { scheduler, chance, settings, cluster, ask } = createCalmWorld({
		seed,
		size: 3,
		settings: (drawn) => ({ ...drawn, logSegmentBytes: 1_024, compactLogBytes: 16_384 }),
	});
	const none = drawFaults(chance.fork("faults"), 3, settings.consensus.electionTimeoutMs);
	const never = Object.fromEntries(
		Object.keys(none.everyMs).map((kind) => [kind, Number.POSITIVE_INFINITY]),
	) as typeof none.everyMs;
	const counted: string[] = [];
	const nemesis = startNemesis({
		cluster,
		scheduler,
		chance: chance.fork("nemesis"),
		tell: () => {},
		count: (name) => counted.push(name),
		settings: { ...none, atlas, everyMs: { ...never, ...everyMs } },
		visit: fail,
		onOutrage: fail,
	});
	return { scheduler, chance, cluster, nemesis, ask, counted };
}

test("who must refuse does, and others run again after a damage that is harmless", async () => {
	let mustRefuse = 0;
	let refused = 0;
	let ran = 0;
	for (let seed = 1; seed <= 5; seed++) {
		const { scheduler, chance, cluster, nemesis, ask } = start(seed, "beyond", {
			power: 2_000,
			"disk-rot": 2_000,
		});
		const write = (number: number): void => {
			const member = chance.pick(cluster.members);
			ask(member, { kind: "write", key: "a", value: `${number}` }, 1_000).catch(fail);
			scheduler.after(150, () => write(number + 1));
		};
		write(0);
		const seen = new Set<string>();
		await scheduler.runUntil(20_000, () => {
			for (const { id, state } of cluster.look()) {
				if (nemesis.mustRefuse(id)) {
					if (!seen.has(id)) mustRefuse++;
					seen.add(id);
					expect(state).not.toBe("running");
					if (state === "refused") refused++;
				} else if (state === "running") ran++;
			}
		});
	}
	expect(mustRefuse).toBeGreaterThan(2);
	expect(refused).toBeGreaterThanOrEqual(mustRefuse);
	expect(ran).toBeGreaterThan(500);
});

test("what a disk refused explains no end of a member that was healed and lives on", async () => {
	const { scheduler, cluster, nemesis } = start(1, "covered", { "disk-full": 200 });
	const ids = cluster.members.map(({ id }) => id);
	const refused = new Error("EIO: a disk that refuses");
	const explained = (): string[] => ids.filter((id) => nemesis.explains(id, refused));
	await scheduler.runUntil(10_000, () => cluster.look());
	expect(explained()).toEqual(ids);
	nemesis.stop();
	nemesis.heal(new Set(ids));
	expect(explained()).toEqual(ids);
	await scheduler.runUntil(15_000, () => cluster.look());
	expect(cluster.members.map(({ state }) => state)).toEqual(["running", "running", "running"]);
	expect(explained()).toEqual([]);
});

test("what hits all at once is counted as that", async () => {
	for (const [kind, name] of [
		["power-everywhere", "crash of all at once (power)"],
		["pause-everywhere", "pause of all at once (suspended)"],
	] as const) {
		const { scheduler, cluster, nemesis, counted } = start(3, "covered", { [kind]: 5_000 });
		await scheduler.runUntil(60_000, () => cluster.look());
		nemesis.stop();
		expect(counted.length).toBeGreaterThan(0);
		expect(new Set(counted)).toEqual(new Set([name]));
	}
});

test("no member counts as damaged where the atlas allowed nothing", async () => {
	const { scheduler, cluster, nemesis } = start(2, "covered", { "disk-misdirect": 100 });
	await scheduler.runUntil(10_000, () => cluster.look());
	// One of three may be: the others were drawn as well, and refused.
	expect(cluster.members.filter(({ id }) => nemesis.hasDamaged(id)).length).toBe(1);
});
