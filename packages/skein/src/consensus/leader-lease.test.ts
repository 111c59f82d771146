/** What the leader's lease rests on: as long as it holds, nobody else is elected (docs/decisions/leader-leases.md). */
import { expect, test } from "vitest";
import type { ConsensusMessage } from "./message.ts";
import { defaultConsensusSettings, leaderLeaseMs } from "./settings.ts";
import { watch } from "./testing/checker.ts";
import { createSimulation, type SimulatedNode, textBytes } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";

const { electionTimeoutMs, transferTimeoutMs } = defaultConsensusSettings;
const leaseMs = leaderLeaseMs(defaultConsensusSettings);
const ids = ["n1", "n2", "n3"];

/** n1 leads; the checker breaks the test as soon as another one is elected while a lease holds. */
function world() {
	const simulation = createSimulation({ ids, settings: defaultConsensusSettings, seed: 1 });
	watch(simulation);
	const cut = new Set<NodeId>();
	const node = (id: NodeId): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const settle = (isLost: (message: ConsensusMessage) => boolean = () => false): void => {
		for (let round = 0; round < 30; round++) {
			for (const { id } of simulation.nodes.values()) simulation.completeDisk(node(id), 100);
			for (const message of simulation.inFlight.splice(0)) {
				if (!cut.has(message.to) && !cut.has(message.from) && !isLost(message)) simulation.deliver(message);
			}
		}
	};
	const tick = (id: NodeId): void => simulation.step(node(id), { type: "tick" });
	const stand = (id: NodeId): void => {
		simulation.now = Math.max(simulation.now, node(id).core?.tickDueAt() ?? 0);
		tick(id);
	};
	const leasedIndex = (id = "n1") => node(id).core?.view.leasedIndex ?? null;
	const role = (id: NodeId) => node(id).core?.view.role;
	stand("n1");
	settle();
	expect(role("n1")).toBe("leader");
	const beat = (isLost?: (message: ConsensusMessage) => boolean): void => {
		simulation.now += 50;
		tick("n1");
		settle(isLost);
	};
	beat();
	return { simulation, cut, node, settle, tick, stand, beat, leasedIndex, role };
}

const isTold = ({ type }: ConsensusMessage): boolean => type === "timeout-now";

test("a lease is shorter than voters hold to their leader, by as much as their clocks may be fast", () => {
	const settings = { ...defaultConsensusSettings, electionTimeoutMs: 1_010, maxClockDrift: 0.01 };
	expect(leaderLeaseMs(settings)).toBe(1_000);
});

test("an established leader whose round a quorum has answered has a lease, and one without has none", () => {
	const { leasedIndex, node } = world();
	expect(leasedIndex()).toBe(node("n1").core?.view.commitIndex);
	expect(leasedIndex("n2")).toBe(null);
});

test("a voter that starts again remembers no leader, and deposes none either for an election timeout", () => {
	const { simulation, cut, node, settle, stand, beat, role } = world();
	cut.add("n3");
	for (let passedMs = 0; passedMs < 2 * electionTimeoutMs; passedMs += 50) beat();
	const beganAt = simulation.now;
	simulation.crash(node("n2"));
	simulation.restart(node("n2"));
	// n3 has heard nobody for long, and n1 is not heard any more either.
	cut.delete("n3");
	cut.add("n1");
	stand("n3");
	settle();
	expect(simulation.now - beganAt).toBeLessThan(leaseMs);
	expect(role("n3")).not.toBe("leader");
	// And then they can do without it.
	simulation.now = beganAt + 2 * electionTimeoutMs;
	stand("n3");
	settle();
	expect(role("n3")).toBe("leader");
});

test("a voter that entered a later term holds to whom it heard in the one before", () => {
	const { simulation, cut, node, settle, tick, beat, role } = world();
	// n3 stands in a later term: it had its pre-votes before n1 was elected, say.
	cut.add("n3");
	for (let passedMs = 0; passedMs < 2 * electionTimeoutMs; passedMs += 50) beat();
	cut.delete("n3");
	cut.add("n1");
	const beganAt = simulation.now;
	const term = node("n1").core?.view.term ?? 0;
	simulation.step(node("n3"), {
		type: "message",
		message: {
			type: "pre-vote-response",
			group: 1,
			from: "n2",
			to: "n3",
			term: term + 1,
			askedTerm: term + 1,
			granted: true,
		},
	});
	tick("n3");
	// Something of the later term reaches n2 before the question for its vote.
	simulation.step(node("n2"), {
		type: "message",
		message: {
			type: "pre-vote-response",
			group: 1,
			from: "n3",
			to: "n2",
			term: term + 1,
			askedTerm: term + 1,
			granted: false,
		},
	});
	expect([node("n2").core?.view.term, node("n2").core?.view.leader]).toEqual([term + 1, null]);
	const last = { index: node("n2").core?.view.lastIndex ?? 0, term };
	simulation.deliver({
		type: "vote-request",
		group: 1,
		from: "n3",
		to: "n2",
		term: term + 1,
		last,
		transfer: false,
	});
	settle();
	expect(simulation.now - beganAt).toBeLessThan(leaseMs);
	expect(node("n2").core?.view.votedFor).toBe(null);
	expect(role("n3")).not.toBe("leader");
});

test("whoever told somebody to stand has no lease any more, also when that came to nothing", () => {
	const { simulation, settle, node, beat, leasedIndex, role } = world();
	simulation.step(node("n1"), { type: "transfer", to: "n2" });
	// Long on its way.
	const told = simulation.inFlight.find(isTold);
	settle(isTold);
	expect([told?.to, leasedIndex()]).toEqual(["n2", null]);
	for (let passedMs = 0; passedMs < transferTimeoutMs + 100; passedMs += 50) beat(isTold);
	expect([node("n1").core?.view.transferTo, role("n1"), leasedIndex()]).toEqual([null, "leader", null]);
	// It comes after all, and n2 and n3 elect without n1's knowing.
	if (told !== undefined) simulation.deliver(told);
	settle(({ to, from }) => to === "n1" || from === "n1");
	expect([role("n1"), role("n2")]).toEqual(["leader", "leader"]);
});

test("a lease that the voters before gave is none of those that vote now", () => {
	const { simulation, settle, node, beat, leasedIndex } = world();
	const added = simulation.addNode("n4");
	expect(leasedIndex()).not.toBe(null);
	simulation.step(node("n1"), {
		type: "change-members",
		changes: [{ change: "add", id: "n4", peer: "n4:1", as: "learner" }],
		force: false,
		dryRun: false,
	});
	expect(node("n1").core?.view.configuration.members.map(({ id }) => id)).toContain("n4");
	// In the log, and no round has begun since.
	expect(leasedIndex()).toBe(null);
	settle();
	beat();
	expect(leasedIndex()).not.toBe(null);
	expect(added.core?.view.leasedIndex).toBe(null);
	simulation.step(node("n1"), {
		type: "propose",
		entries: [{ kind: "command", payload: textBytes("x") }],
		acknowledgement: null,
	});
	settle();
	expect(leasedIndex()).toBe(node("n1").core?.view.commitIndex);
});

test("who starts without any term waits too: it may have answered its first leader before its disk had the term", () => {
	const { simulation } = world();
	const fresh = simulation.addNode("n4");
	const term = 9;
	const asksInVain = (): boolean => {
		const last = { index: 9, term: 8 };
		simulation.deliver({ type: "pre-vote-request", group: 1, from: "n2", to: "n4", term, last });
		const [answer] = simulation.inFlight.splice(0);
		if (answer?.type !== "pre-vote-response") throw new Error("no answer");
		return !answer.granted;
	};
	expect(fresh.core?.view.term).toBe(0);
	expect(asksInVain()).toBe(true);
	simulation.now += electionTimeoutMs;
	expect(asksInVain()).toBe(false);
});
