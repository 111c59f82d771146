/** A leader that is heard and commits nothing gives way, so that those who could do without it can elect another. */
import { expect, test } from "vitest";
import { encodeConfiguration } from "./configuration.ts";
import { hasFreshQuorum } from "./heartbeat.ts";
import { onAppendResponse, onLeaderDurable, onLeaderTick, propose } from "./leader.ts";
import { becomeSnapshot } from "./progress.ts";
import { appendOwn } from "./replication.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createLoneCore, elect, follow } from "./testing/lone-core.ts";
import { configurationFor, establishedLeader, flushDisk, progressOf } from "./testing/member-state.ts";
import { createSimulation, group, type SimulatedNode, textBytes } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";

const { electionTimeoutMs, heartbeatIntervalMs } = defaultConsensusSettings;

const three = ["n1", "n2", "n3"];
const five = [...three, "n4", "n5"];
const entries = [{ kind: "command" as const, payload: textBytes("x") }];

/** Members of which some are cut off, and some that are heard may make nothing durable. */
function world(ids = three) {
	const simulation = createSimulation({
		ids,
		settings: defaultConsensusSettings,
		seed: 1,
	});
	const node = (id: string): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const n1 = node("n1");
	const state = { cutOff: ["n3"], hangs: [] as string[] };
	const arrives = ({ to, from }: { to: string; from: string }): boolean =>
		!state.cutOff.includes(to) && !state.cutOff.includes(from);

	function settle(): void {
		for (let round = 0; round < 20; round++) {
			for (const id of ids) if (!state.hangs.includes(id)) simulation.completeDisk(node(id), 100);
			for (const message of simulation.inFlight.splice(0)) {
				if (arrives(message)) simulation.deliver(message);
			}
		}
	}

	return {
		simulation,
		n1,
		state,
		settle,
		role: () => n1.core?.view.role,
		isEstablished: () => n1.core?.view.established,
		/** n1 stands, with all that it takes but the barrier. */
		elect: (): void => {
			simulation.now = Math.max(simulation.now, n1.core?.tickDueAt() ?? 0);
			simulation.step(n1, { type: "tick" });
			for (let round = 0; round < 20 && n1.core?.view.role !== "leader"; round++) {
				for (const id of ids) simulation.completeDisk(node(id), 100);
				for (const message of simulation.inFlight.splice(0)) {
					if (arrives(message)) simulation.deliver(message);
				}
			}
		},
		run: (forMs: number): void => {
			for (let passedMs = 0; passedMs < forMs; passedMs += heartbeatIntervalMs) {
				simulation.now += heartbeatIntervalMs;
				simulation.step(n1, { type: "tick" });
				settle();
			}
		},
	};
}

test("a caretaker whom nobody relieves for twenty election timeouts gives way, as long as it sends no snapshot", () => {
	const { simulation, n1, state, elect, run, role, settle } = world();
	state.cutOff = [];
	elect();
	settle();
	const changes = ["n1", "n2"].map((id) => ({ change: "priority", id, priority: "never" }) as const);
	simulation.step(n1, { type: "change-members", changes, force: false, dryRun: false });
	settle();
	// n3 may lead, and is told to: it does not hear it.
	simulation.inFlight.length = 0;
	state.cutOff = ["n3"];
	run(18 * electionTimeoutMs);
	expect([role(), n1.core?.view.caretaker]).toEqual(["leader", true]);
	run(3 * electionTimeoutMs);
	expect([role(), n1.core?.view.caretaker]).toEqual(["follower", false]);
});

test("it leads on for ten election timeouts and no longer, and waits longer than others before it stands again", () => {
	const { state, elect, role, isEstablished, run } = world();
	elect();
	state.hangs = ["n2"];
	run(9 * electionTimeoutMs);
	expect([role(), isEstablished()]).toEqual(["leader", false]);
	run(electionTimeoutMs + heartbeatIntervalMs);
	expect(role()).toBe("follower");
	run(2 * electionTimeoutMs);
	expect(role()).toBe("follower");
});

test("a leader that has committed its barrier leads on while no quorum could do without it", () => {
	const { simulation, n1, state, elect, settle, role, isEstablished, run } = world();
	elect();
	settle();
	expect([role(), isEstablished()]).toEqual(["leader", true]);
	state.hangs = ["n2"];
	simulation.step(n1, { type: "propose", entries, acknowledgement: null });
	run(30 * electionTimeoutMs);
	expect(role()).toBe("leader");
});

/** n2 stores, n3 does not, and n1 does not hear n4 and n5. */
function stuck() {
	const it = world(five);
	it.state.cutOff = [];
	it.elect();
	it.settle();
	it.state.hangs = ["n3"];
	it.state.cutOff = ["n4", "n5"];
	return it;
}

test("it gives way after ten election timeouts without a commit, where those that may store are a quorum without it", () => {
	const { simulation, n1, role, run } = stuck();
	// With nothing to commit it leads as long as it is heard.
	run(30 * electionTimeoutMs);
	expect(role()).toBe("leader");
	simulation.step(n1, { type: "propose", entries, acknowledgement: null });
	run(9 * electionTimeoutMs);
	expect(role()).toBe("leader");
	run(electionTimeoutMs + 2 * heartbeatIntervalMs);
	expect(role()).toBe("follower");
	// Others first.
	run(2 * electionTimeoutMs);
	expect(role()).toBe("follower");
});

test("it leads on where one of them is heard again, and stores nothing either", () => {
	const { simulation, n1, state, role, run } = stuck();
	simulation.step(n1, { type: "propose", entries, acknowledgement: null });
	run(5 * electionTimeoutMs);
	state.cutOff = ["n5"];
	state.hangs = ["n3", "n4"];
	run(30 * electionTimeoutMs);
	expect(role()).toBe("leader");
});

test("nor does one give way while its companion gets a snapshot", () => {
	const { simulation, n1, state, elect, settle, role, isEstablished, run } = world();
	state.cutOff = ["n2"];
	elect();
	settle();
	simulation.step(n1, { type: "propose", entries, acknowledgement: null });
	run(heartbeatIntervalMs);
	simulation.apply(n1);
	simulation.compact(n1, n1.core?.view.commitIndex ?? 0);
	state.cutOff = ["n3"];
	simulation.step(n1, { type: "step-down" });
	elect();
	run(30 * electionTimeoutMs);
	expect([role(), isEstablished(), n1.core?.view.progress.get("n2")?.state]).toEqual([
		"leader",
		false,
		"snapshot",
	]);
	simulation.step(n1, { type: "snapshot-sent", to: "n2", index: null });
	state.hangs = ["n2"];
	simulation.step(n1, { type: "tick" });
	expect(role()).toBe("follower");
});

/** Voters in each half of the configuration; who is in the second alone goes, and votes until then. Whose name begins with w is a witness. */
interface Stuck {
	readonly voters?: readonly NodeId[];
	readonly outgoing?: readonly NodeId[];
	/** Heard just now, with the entry that cannot be committed. */
	readonly storing?: readonly NodeId[];
	/** Heard just now, without it. */
	readonly hanging?: readonly NodeId[];
	/** Heard so long ago, without it; the others were never heard again. */
	readonly heardAgoMs?: Readonly<Record<NodeId, number>>;
	readonly stuckForMs?: number;
	readonly never?: readonly NodeId[];
	readonly learners?: readonly NodeId[];
	/** A snapshot is on its way to it. */
	readonly inSnapshot?: NodeId;
}

/** The role of n1 after a tick, when nothing was committed for so long. */
function roleOf({ voters = five, outgoing = [], storing = [], hanging = [], ...more }: Stuck): string {
	const { stuckForMs = 10 * electionTimeoutMs, heardAgoMs = {}, never = [], learners = [] } = more;
	const everybody = [...new Set([...voters, ...outgoing])];
	const equals = configurationFor(everybody, learners);
	const members = equals.members.map((member) =>
		never.includes(member.id) ? { ...member, priority: "never" as const } : member,
	);
	const configuration = { ...equals, members };
	const { state, leader } = establishedLeader({ configuration });
	const matchIndex = state.log.last.index;
	expect(state.commitIndex).toBe(matchIndex);
	const joint = { ...configuration, voters, outgoingVoters: outgoing };
	const entry =
		outgoing.length > 0
			? ({ kind: "configuration", payload: encodeConfiguration(joint) } as const)
			: ({ kind: "command", payload: textBytes("x") } as const);
	appendOwn(state, [entry]);
	flushDisk(state);
	onLeaderDurable(state, leader);
	const endsAt = state.now + stuckForMs;
	const hear = (from: NodeId, agoMs: number, index: number): void => {
		state.now = endsAt - agoMs;
		const result = { accepted: true, matchIndex: index } as const;
		const { term } = state.promise;
		onAppendResponse(state, leader, { type: "append-response", group, from, to: "n1", term, result });
	};
	for (const [from, agoMs] of Object.entries(heardAgoMs)) hear(from, agoMs, matchIndex);
	for (const from of hanging) hear(from, 0, matchIndex);
	for (const from of storing) hear(from, 0, matchIndex + 1);
	if (more.inSnapshot !== undefined) becomeSnapshot(progressOf(leader, more.inSnapshot));
	state.now = endsAt;
	expect([state.commitIndex, hasFreshQuorum(state, leader)]).toEqual([matchIndex, true]);
	onLeaderTick(state, leader);
	return state.roleState.role;
}

test("ten election timeouts, to the millisecond, after what is not committed was on its own disk", () => {
	const stuck: Stuck = { storing: ["n2"], hanging: ["n3"] };
	expect(roleOf({ ...stuck, stuckForMs: 10 * electionTimeoutMs - 1 })).toBe("leader");
	expect(roleOf({ ...stuck, stuckForMs: 10 * electionTimeoutMs })).toBe("follower");
});

test("those that may store are a quorum without it: itself it never counts, nor who is heard and lacks the entry", () => {
	// Without n1 there are n4 and n5 only.
	expect(roleOf({ hanging: ["n2", "n3"] })).toBe("leader");
	expect(roleOf({ storing: ["n2"], hanging: ["n3"] })).toBe("follower");
	expect(roleOf({ storing: ["n2"], hanging: ["n3", "n4"] })).toBe("leader");
	// Of four it takes three: n1 and n2 do not commit it, and n3 and n4 without n1 would not either.
	expect(roleOf({ voters: ["n1", "n2", "n3", "n4"], storing: ["n2"], hanging: ["n3"] })).toBe("leader");
});

test("who was not heard for an election timeout may store, to the millisecond", () => {
	const stuck = (agoMs: number): Stuck => ({ storing: ["n2"], hanging: ["n3"], heardAgoMs: { n4: agoMs } });
	expect(roleOf(stuck(electionTimeoutMs - 1))).toBe("leader");
	expect(roleOf(stuck(electionTimeoutMs))).toBe("follower");
});

test("a witness counts as anybody: where it hangs, whoever is away could do no more with it", () => {
	const voters = ["n1", "n2", "n3", "n4", "w5"];
	expect(roleOf({ voters, storing: ["n2"], hanging: ["n3", "w5"] })).toBe("leader");
	expect(roleOf({ voters, storing: ["n2"], hanging: ["n3"] })).toBe("follower");
	expect(roleOf({ voters: ["n1", "n2", "w3"], hanging: ["w3"] })).toBe("leader");
});

test("nor where none of those that may store may lead: a caretaker would hand leadership back", () => {
	const stuck: Stuck = { storing: ["n2"], hanging: ["n3"] };
	expect(roleOf({ ...stuck, never: ["n2", "n4"] })).toBe("follower");
	expect(roleOf({ ...stuck, never: ["n2", "n4", "n5"] })).toBe("leader");
});

test("a learner's snapshot holds nobody in office, a voter's does", () => {
	const stuck: Stuck = { storing: ["n2"], hanging: ["n3"] };
	expect(roleOf({ ...stuck, learners: ["n6"], inSnapshot: "n6" })).toBe("follower");
	expect(roleOf({ ...stuck, inSnapshot: "n4" })).toBe("leader");
});

test("in a joint phase they are a quorum of the new voters and of the old ones", () => {
	// n6 comes, and n5 goes.
	const joint = { voters: ["n1", "n2", "n3", "n4", "n6"], outgoing: five, storing: ["n2"] };
	expect(roleOf({ ...joint, hanging: ["n3"] })).toBe("follower");
	expect(roleOf({ ...joint, hanging: ["n3", "n6"] })).toBe("leader");
	expect(roleOf({ ...joint, hanging: ["n3", "n5"] })).toBe("leader");
	// n6 has it, and that decides nothing among the old voters.
	expect(roleOf({ ...joint, storing: ["n2", "n6"], hanging: ["n3"] })).toBe("follower");
});

test("a leader that commits nothing, and that nobody could replace, leads on when its own process slept", () => {
	const lone = createLoneCore();
	elect(lone);
	for (const node of ["n2", "n3"]) follow(lone, node);
	lone.step({ type: "propose", entries, acknowledgement: null });
	lone.durable();
	const { term } = lone.core.view;
	// n2 answers heartbeats, and its disk hangs; n3 is gone.
	const endsAt = lone.now + 20 * electionTimeoutMs;
	for (let round = 2; lone.now < endsAt; round++) {
		lone.now += heartbeatIntervalMs;
		lone.tick();
		lone.hear("n2", term, { type: "heartbeat-response", round, lastIndex: 1, appliedIndex: 0 });
	}
	expect(lone.core.view.role).toBe("leader");
	lone.now += electionTimeoutMs;
	lone.step({ type: "slept", forMs: electionTimeoutMs });
	lone.tick();
	expect(lone.core.view.role).toBe("leader");
});

test("with each commit the time begins anew, though there is always something that waits", () => {
	const { state, leader } = establishedLeader({ configuration: configurationFor(five) });
	const hear = (from: NodeId, matchIndex: number): void => {
		const { term } = state.promise;
		const result = { accepted: true, matchIndex } as const;
		onAppendResponse(state, leader, { type: "append-response", group, from, to: "n1", term, result });
	};
	for (let passedMs = 0; passedMs < 20 * electionTimeoutMs; passedMs += heartbeatIntervalMs) {
		state.now += heartbeatIntervalMs;
		propose(state, entries, null);
		flushDisk(state);
		onLeaderDurable(state, leader);
		hear("n2", state.log.last.index);
		hear("n3", state.log.last.index - 1);
		onLeaderTick(state, leader);
	}
	expect([state.roleState.role, state.commitIndex]).toEqual(["leader", state.log.last.index - 1]);
});

test("after a pause of an hour a leader gives the others time all the same, to store what it wrote 10 ms ago", () => {
	const { state, leader } = establishedLeader({
		configuration: configurationFor(["n1", "n2", "n3", "n4", "n5"]),
	});
	const write = (): void => {
		state.now += 5;
		propose(state, entries, null);
		flushDisk(state);
		onLeaderDurable(state, leader);
	};
	const hear = (from: string, matchIndex: number): void => {
		const { term } = state.promise;
		const result = { accepted: true, matchIndex } as const;
		onAppendResponse(state, leader, { type: "append-response", group, from, to: "n1", term, result });
	};
	// One mark short of what is remembered, less one.
	for (let each = 0; each < 510; each++) write();
	const before = state.log.last.index;
	for (const from of ["n2", "n3"]) hear(from, before);
	expect(state.commitIndex).toBe(before);
	// Meanwhile n4 and n5 are gone.
	state.now += 3_600_000;
	for (let each = 0; each < 2; each++) write();
	hear("n2", before + 2);
	hear("n3", before);
	expect(hasFreshQuorum(state, leader)).toBe(true);
	onLeaderTick(state, leader);
	expect(state.roleState.role).toBe("leader");
});
