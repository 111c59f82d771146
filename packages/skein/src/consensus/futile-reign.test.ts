/** A leader that is heard and commits nothing gives way, so that those who could do without it can elect another. */
import { expect, test } from "vitest";
import { defaultConsensusSettings } from "./settings.ts";
import { createSimulation, type SimulatedNode, textBytes } from "./testing/simulation.ts";

const { electionTimeoutMs, heartbeatIntervalMs } = defaultConsensusSettings;

/** n1, n2 and n3, of which one is cut off, and one that is heard may make nothing durable. */
function world() {
	const simulation = createSimulation({
		ids: ["n1", "n2", "n3"],
		settings: defaultConsensusSettings,
		seed: 1,
	});
	const node = (id: string): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const n1 = node("n1");
	const state = { cutOff: "n3", hangs: null as string | null };

	function settle(): void {
		for (let round = 0; round < 20; round++) {
			for (const id of ["n1", "n2", "n3"]) if (id !== state.hangs) simulation.completeDisk(node(id), 100);
			for (const message of simulation.inFlight.splice(0)) {
				if (message.to !== state.cutOff && message.from !== state.cutOff) simulation.deliver(message);
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
				for (const id of ["n1", "n2", "n3"]) simulation.completeDisk(node(id), 100);
				for (const message of simulation.inFlight.splice(0)) {
					if (message.to !== state.cutOff && message.from !== state.cutOff) simulation.deliver(message);
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
	state.cutOff = "";
	elect();
	settle();
	const changes = ["n1", "n2"].map((id) => ({ change: "priority", id, priority: "never" }) as const);
	simulation.step(n1, { type: "change-members", changes, force: false, dryRun: false });
	settle();
	// n3 may lead, and is told to: it does not hear it.
	simulation.inFlight.length = 0;
	state.cutOff = "n3";
	run(18 * electionTimeoutMs);
	expect([role(), n1.core?.view.caretaker]).toEqual(["leader", true]);
	run(3 * electionTimeoutMs);
	expect([role(), n1.core?.view.caretaker]).toEqual(["follower", false]);
});

test("it leads on for ten election timeouts and no longer, and waits longer than others before it stands again", () => {
	const { state, elect, role, isEstablished, run } = world();
	elect();
	state.hangs = "n2";
	run(9 * electionTimeoutMs);
	expect([role(), isEstablished()]).toEqual(["leader", false]);
	run(electionTimeoutMs + heartbeatIntervalMs);
	expect(role()).toBe("follower");
	run(2 * electionTimeoutMs);
	expect(role()).toBe("follower");
});

test("a leader that has committed its barrier leads on, whatever happens to what comes after it", () => {
	const { simulation, n1, state, elect, settle, role, isEstablished, run } = world();
	elect();
	settle();
	expect([role(), isEstablished()]).toEqual(["leader", true]);
	state.hangs = "n2";
	const entries = [{ kind: "command" as const, payload: textBytes("x") }];
	simulation.step(n1, { type: "propose", entries, acknowledgement: null });
	run(30 * electionTimeoutMs);
	expect(role()).toBe("leader");
});

test("nor does one give way while its companion gets a snapshot", () => {
	const { simulation, n1, state, elect, settle, role, isEstablished, run } = world();
	state.cutOff = "n2";
	elect();
	settle();
	const entries = [{ kind: "command" as const, payload: textBytes("x") }];
	simulation.step(n1, { type: "propose", entries, acknowledgement: null });
	run(heartbeatIntervalMs);
	simulation.apply(n1);
	simulation.compact(n1, n1.core?.view.commitIndex ?? 0);
	state.cutOff = "n3";
	simulation.step(n1, { type: "step-down" });
	elect();
	run(30 * electionTimeoutMs);
	expect([role(), isEstablished(), n1.core?.view.progress.get("n2")?.state]).toEqual([
		"leader",
		false,
		"snapshot",
	]);
	simulation.step(n1, { type: "snapshot-sent", to: "n2", index: null });
	state.hangs = "n2";
	simulation.step(n1, { type: "tick" });
	expect(role()).toBe("follower");
});
