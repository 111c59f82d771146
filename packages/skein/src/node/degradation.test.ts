/** Degradation is said: since when, because of whom, and when it is over. */
import { expect, test } from "vitest";
import { degradedModes, type VoterState } from "./degradation.ts";
import { createCluster, type Member } from "./testing/cluster.ts";

const good = (id: string): VoterState => ({ id, witness: false, stores: true, inSync: true, inChain: null });
const gone = (id: string): VoterState => ({
	id,
	witness: false,
	stores: false,
	inSync: false,
	inChain: null,
});
const slow = (id: string): VoterState => ({ id, witness: false, stores: true, inSync: false, inChain: null });

test("from voters to modes", () => {
	expect(degradedModes([])).toEqual([]);
	expect(degradedModes([good("n2"), good("n3")])).toEqual([]);
	expect(degradedModes([good("n2"), slow("n3")])).toEqual([
		{ acknowledgement: "sync", effect: "answers-without", members: ["n3"] },
		{ acknowledgement: "sync;strict", effect: "waits", members: ["n3"] },
	]);
	expect(degradedModes([good("n2"), gone("n3")])).toEqual([
		{ acknowledgement: "semi-sync;k=2", effect: "waits", members: ["n3"] },
		{ acknowledgement: "sync", effect: "answers-without", members: ["n3"] },
		{ acknowledgement: "sync;strict", effect: "waits", members: ["n3"] },
	]);
	const modes = degradedModes([gone("n2"), gone("n3")]);
	expect(modes.map(({ acknowledgement, effect }) => `${acknowledgement} ${effect}`)).toEqual([
		"semi-sync;k=1 waits",
		"quorum waits",
		"sync waits",
		"sync;strict waits",
	]);
	for (const { members } of modes) expect(members).toEqual(["n2", "n3"]);
	// Two of five may be gone.
	const five = degradedModes([good("n2"), good("n3"), gone("n4"), gone("n5")]);
	expect(five.map(({ acknowledgement }) => acknowledgement)).toEqual([
		"semi-sync;k=3",
		"sync",
		"sync;strict",
	]);
});

test("a witness counts for the majority, and for no copy", () => {
	const witness: VoterState = { ...slow("w1"), witness: true };
	expect(degradedModes([good("n2"), witness])).toEqual([]);
	expect(degradedModes([good("n2"), { ...witness, stores: false }])).toEqual([]);
	expect(degradedModes([gone("n2"), witness])).toEqual([
		{ acknowledgement: "semi-sync;k=1", effect: "waits", members: ["n2"] },
		{ acknowledgement: "quorum", effect: "answers-without", members: ["n2"] },
		{ acknowledgement: "sync", effect: "answers-without", members: ["n2"] },
		{ acknowledgement: "sync;strict", effect: "waits", members: ["n2"] },
	]);
	const modes = degradedModes([gone("n2"), { ...witness, stores: false }]);
	expect(modes).toContainEqual({ acknowledgement: "quorum", effect: "waits", members: ["n2", "w1"] });
	// Of three with data one may be away: two copies are what five voters promise less one.
	const five = degradedModes([good("n2"), gone("n3"), witness, { ...witness, id: "w2" }]);
	expect(five).toContainEqual({ acknowledgement: "quorum", effect: "answers-without", members: ["n3"] });
});

test("a chain without somebody", () => {
	const inChain = (id: string): VoterState => ({ ...good(id), inChain: true });
	const out = (one: VoterState): VoterState => ({ ...one, inChain: false });
	expect(degradedModes([inChain("n2"), inChain("n3")])).toEqual([]);
	expect(degradedModes([inChain("n2"), out(good("n3"))])).toEqual([
		{ acknowledgement: "chain", effect: "answers-without", members: ["n3"] },
	]);
	expect(degradedModes([out(gone("n2")), out(gone("n3"))])).toContainEqual({
		acknowledgement: "chain",
		effect: "waits",
		members: ["n2", "n3"],
	});
});

test("a leader says it in its view and its log, with the beginning, and when it is over", async () => {
	const cluster = await createCluster({ size: 3, seed: 21 });
	const leading = await cluster.leader();
	await cluster.clock.run(3_000);
	const degraded = (member: Member) => member.node?.service.ownView().databases["default"]?.degraded;
	expect(degraded(leading)).toEqual([]);
	expect(leading.lines.filter((line) => line.includes("mode"))).toEqual([]);

	const other = cluster.members.find((member) => member !== leading);
	if (other === undefined) throw new Error("no follower");
	cluster.network.cut(other.id, true);
	const cutAt = cluster.clock.wallTime();
	await cluster.clock.run(3_000);
	const found = degraded(leading) ?? [];
	expect(found.map(({ acknowledgement }) => acknowledgement)).toEqual([
		"semi-sync;k=2",
		"sync",
		"sync;strict",
	]);
	for (const { members, sinceMs, forMs } of found) {
		expect(members).toEqual([other.id]);
		expect(sinceMs - cutAt).toBeGreaterThanOrEqual(0);
		expect(sinceMs - cutAt).toBeLessThan(1_600);
		expect(forMs).toBeGreaterThanOrEqual(1_000);
	}
	expect(leading.lines).toContain(`writes of mode sync are answered without ${other.id}`);
	expect(leading.lines).toContain(`writes of mode sync;strict are not answered: they wait for ${other.id}`);

	cluster.network.cut(other.id, false);
	await cluster.clock.run(3_000);
	expect(degraded(leading)).toEqual([]);
	expect(leading.lines.filter((line) => /mode sync;strict is met again/.test(line)).length).toBe(1);
});
