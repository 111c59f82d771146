/** A leader that is heard and commits nothing gives way, so that those who could do without it can elect another. */
import { expect, test } from "vitest";
import { encodeConfiguration } from "./configuration.ts";
import { hasFreshQuorum } from "./heartbeat.ts";
import { onAppendResponse, onLeaderDurable, onLeaderTick } from "./leader.ts";
import { appendOwn } from "./replication.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { configurationFor, establishedLeader, flushDisk } from "./testing/member-state.ts";
import { createSimulation, group, type SimulatedNode, textBytes } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";

const { electionTimeoutMs, heartbeatIntervalMs } = defaultConsensusSettings;

const three = ["n1", "n2", "n3"];
const five = [...three, "n4", "n5"];

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
	const entries = [{ kind: "command" as const, payload: textBytes("x") }];
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
	const entries = [{ kind: "command" as const, payload: textBytes("x") }];
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
	const entries = [{ kind: "command" as const, payload: textBytes("x") }];
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
	const entries = [{ kind: "command" as const, payload: textBytes("x") }];
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
	/** So long a witness is not sent what a member that is heard lacks. */
	readonly syncLeaseMs?: number;
}

/** The role of n1 after a tick, when nothing was committed for so long. */
function roleOf({ voters = five, outgoing = [], storing = [], hanging = [], ...more }: Stuck): string {
	const { stuckForMs = 10 * electionTimeoutMs, heardAgoMs = {}, syncLeaseMs = 1_000 } = more;
	const everybody = [...new Set([...voters, ...outgoing])];
	const configuration = configurationFor(everybody);
	const { state, leader } = establishedLeader({ configuration, settings: { syncLeaseMs } });
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

test("a witness that is heard may store too, when it waits for what others lack; one that is not heard as anybody", () => {
	const voters = ["n1", "n2", "n3", "n4", "w5"];
	// It is to be sent what n3 has, and n3 has nothing.
	const waits = { voters, storing: ["n2"], syncLeaseMs: 20 * electionTimeoutMs };
	expect(roleOf({ ...waits, hanging: ["n3", "w5"] })).toBe("follower");
	// With it they are two of five.
	expect(roleOf({ ...waits, hanging: ["n3", "n4", "w5"] })).toBe("leader");
	expect(roleOf({ voters, storing: ["n2"], hanging: ["n3"] })).toBe("follower");
	expect(roleOf({ voters: ["n1", "n2", "w3"], hanging: ["n2", "w3"] })).toBe("leader");
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
