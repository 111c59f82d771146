/** What a core lets its elector know, and what it makes of its decisions. */
import { expect, test } from "vitest";
import type { ConsensusMessage } from "./message.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createLoneCore, three } from "./testing/lone-core.ts";
import { createSimulation } from "./testing/simulation.ts";
import type { Configuration, ElectorName, NodeId } from "./types.ts";

const { electionTimeoutMs, diskStallMs } = defaultConsensusSettings;

/** n2 of three, which has heard nobody yet. */
function world(elector: ElectorName, learners: readonly NodeId[] = []) {
	const settings = { ...defaultConsensusSettings, elector };
	const simulation = createSimulation({ ids: ["n1", "n2", "n3"], settings, seed: 1, learners });
	const node = simulation.nodes.get("n2");
	if (node === undefined || node.core === null) throw new Error("no n2");
	const { core } = node;
	const said = (): string[] =>
		simulation.inFlight
			.splice(0)
			.map((message) =>
				message.type === "elector-message" ? `${message.hint.word} to ${message.to}` : message.type,
			);
	const tick = (): string[] => {
		simulation.step(node, { type: "tick" });
		return said();
	};
	const receive = (from: NodeId, message: Partial<ConsensusMessage>): string[] => {
		const envelope = { group: 1, from, to: "n2", term: core.view.term };
		simulation.step(node, { type: "message", message: { ...envelope, ...message } as ConsensusMessage });
		return said();
	};
	/** n1, which ranks below, asks whether it may stand. */
	const hearStanding = (): string[] =>
		receive("n1", {
			type: "elector-message",
			elector: "bully",
			hint: { word: "standing", candidate: "n1", last: { term: 1, index: 1 }, round: 0 },
		});
	return { simulation, node, core, tick, receive, hearStanding };
}

test("who misses the leader says so, and answers others", () => {
	const asking = world("bully");
	asking.simulation.now = asking.core.tickDueAt();
	expect(asking.tick()).toEqual(["standing to n3"]);
	const answering = world("bully");
	answering.simulation.now = electionTimeoutMs;
	expect(answering.hearStanding()).toEqual(["wait to n1", "standing to n3"]);
});

test.each([
	["is no voter", ["n2"], () => {}],
	[
		"is held back",
		[],
		({ simulation, node }: ReturnType<typeof world>) =>
			simulation.step(node, { type: "hold-back", reason: "paused", forMs: 60_000 }),
	],
	[
		"cannot write",
		[],
		({ simulation, core, receive }: ReturnType<typeof world>) => {
			simulation.now = electionTimeoutMs;
			receive("n1", { type: "vote-request", term: 2, last: { term: 1, index: 1 }, transfer: false });
			expect(core.view.votedFor).toBe("n1");
			simulation.now += diskStallMs + 1;
		},
	],
] as const)("an elector asks nobody and answers nobody for a member that %s", (_, learners, hinder) => {
	const hindered = world("bully", learners);
	hinder(hindered);
	hindered.simulation.now = Math.max(hindered.simulation.now, hindered.core.tickDueAt());
	expect(hindered.hearStanding()).toEqual([]);
	expect(hindered.tick()).toEqual([]);
	expect(hindered.core.view.role).toBe("follower");
});

test("it answers nobody as long as it hears a leader", () => {
	const { simulation, receive, hearStanding } = world("bully");
	simulation.now = 1_000;
	const heartbeat = {
		type: "heartbeat-request",
		round: 1,
		commitIndex: 0,
		lease: null,
		endsReads: false,
	} as const;
	expect(receive("n3", heartbeat)).toEqual(["heartbeat-response"]);
	simulation.now += electionTimeoutMs - 1;
	expect(hearStanding()).toEqual([]);
	simulation.now += 1;
	expect(hearStanding()).toEqual(["wait to n1", "standing to n3"]);
});

test("who has forgotten a leader that is silent waits as long again, and is not woken for it all the time", () => {
	const { simulation, core, tick } = world("manual");
	const dueAt = core.tickDueAt();
	expect(dueAt).toBe(2 * electionTimeoutMs);
	simulation.now = dueAt;
	tick();
	expect(core.tickDueAt()).toBe(dueAt + 2 * electionTimeoutMs);
});

test("a configuration that names the same elector leaves it as it is: its wait goes on", () => {
	const lone = createLoneCore({ terms: [1] });
	const dueAt = lone.core.tickDueAt();
	const install = (configuration: Configuration, index: number) =>
		lone.step({ type: "snapshot-installed", index, term: 1, configuration, configurationIndex: index });
	lone.now = electionTimeoutMs - 1;
	install(three, 5);
	expect(lone.core.view.configurationIndex).toBe(5);
	expect(lone.core.tickDueAt()).toBe(dueAt);
	install({ ...three, elector: "bully" }, 6);
	expect(lone.core.view.elector).toBe("bully");
	expect(lone.core.tickDueAt()).toBeGreaterThanOrEqual(lone.now + electionTimeoutMs);
});
