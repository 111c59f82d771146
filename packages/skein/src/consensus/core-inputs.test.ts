/** The one door: every input gets to whom it concerns, and does nothing where it concerns nobody. */
import { expect, test } from "vitest";
import type { ConsensusMessage } from "./message.ts";
import type { Output } from "./output.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { watch } from "./testing/checker.ts";
import { createSimulation, type TimelessInput } from "./testing/simulation.ts";
import type { NodeId } from "./types.ts";

const { transferTimeoutMs } = defaultConsensusSettings;

/** n1 leads, with a lease; all have everything. */
function world() {
	const simulation = createSimulation({
		ids: ["n1", "n2", "n3"],
		settings: defaultConsensusSettings,
		seed: 1,
	});
	const checker = watch(simulation);
	const outputs: Output[] = [];
	const check = simulation.onOutput;
	simulation.onOutput = (one, output) => {
		check(one, output);
		outputs.push(output);
	};
	const node = (id: NodeId) => {
		const found = simulation.nodes.get(id);
		if (found === undefined || found.core === null) throw new Error(`no ${id}`);
		return { node: found, core: found.core };
	};
	const step = (id: NodeId, input: TimelessInput): Output[] => {
		outputs.length = 0;
		simulation.step(node(id).node, input);
		return [...outputs];
	};
	const settle = (): void => {
		for (let round = 0; round < 20; round++) {
			for (const each of simulation.nodes.values()) {
				simulation.completeDisk(each, 100);
				simulation.apply(each);
			}
			for (const message of simulation.inFlight.splice(0)) simulation.deliver(message);
		}
	};
	const beat = (): void => {
		simulation.now += 50;
		step("n1", { type: "tick" });
		settle();
	};
	simulation.now = node("n1").core.tickDueAt();
	step("n1", { type: "tick" });
	settle();
	beat();
	beat();
	expect(node("n1").core.view).toMatchObject({ established: true, leasedIndex: 2 });
	return {
		checker,
		simulation,
		view: (id: NodeId) => node(id).core.view,
		core: (id: NodeId) => node(id).core,
		step,
		beat,
	};
}

test("time does not go back, and an input of an unknown kind is not passed over", () => {
	const { simulation, core } = world();
	const { now } = simulation;
	expect(() => core("n1").step({ type: "tick", now: now - 1 })).toThrow(`time went back from ${now} to`);
	expect(() => core("n1").step({ type: "unknown", now } as never)).toThrow('unexpected {"type":"unknown"');
});

test("a read under the lease is answered by who leads, and by nobody else", () => {
	const { step, view } = world();
	const asked = { type: "read-under-lease", from: "n3", readId: 7 } as const;
	expect(step("n1", asked)).toMatchObject([
		{ type: "send", message: { type: "read-index-response", to: "n3", readId: 7, index: 2 } },
	]);
	// One of its own has the same number by chance.
	step("n2", { type: "read", readId: 7 });
	expect([step("n2", asked), view("n2").pendingReads]).toEqual([[], 1]);
});

test("a read that nobody waits for any more is forgotten, and no other", () => {
	const { step, view } = world();
	for (const id of ["n1", "n2"]) {
		for (const readId of [1, 2]) step(id, { type: "read", readId });
		expect([step(id, { type: "cancel-read", readId: 1 }), view(id).pendingReads]).toEqual([[], 1]);
	}
});

test("what was written before is acknowledged anew by who leads, and by nobody else", () => {
	const { checker, step } = world();
	checker.awaited(7, 2);
	const asked = {
		type: "await-acknowledgement",
		index: 2,
		acknowledgement: { mode: "quorum" },
		waiter: 7,
	} as const;
	expect(step("n1", asked)).toContainEqual({ type: "acknowledged", index: 2, waiter: 7 });
	expect(step("n2", asked)).toEqual([]);
});

test("the chain is used, or no more, as an operator says", () => {
	const { step, view } = world();
	for (const always of [true, false]) {
		expect(step("n1", { type: "use-chain", always })).toEqual([]);
		expect(view("n1").isChainUsed).toBe(always);
	}
});

test("what is not committed cannot have been compacted", () => {
	const { core, simulation } = world();
	const compacted = (index: number) => core("n2").step({ type: "compacted", now: simulation.now, index });
	expect(() => compacted(3)).toThrow("compacted to 3, committed is 2");
	compacted(2);
	expect(core("n2").view.base.index).toBe(2);
});

test("who led while it handed leadership over is woken for it still, and says at last that nobody took over", () => {
	const { simulation, core, step, view } = world();
	expect(core("n1").tickDueAt()).toBe(simulation.now);
	expect(core("n2").tickDueAt()).toBeGreaterThan(simulation.now);
	step("n1", { type: "transfer", to: "n2" });
	const message: ConsensusMessage = {
		type: "vote-response",
		group: 1,
		from: "n3",
		to: "n1",
		term: view("n1").term + 1,
		granted: false,
	};
	step("n1", { type: "message", message });
	expect(view("n1")).toMatchObject({ role: "follower", leader: null, transferTo: "n2" });
	expect(core("n1").tickDueAt()).toBe(simulation.now);
	simulation.now += transferTimeoutMs - 1;
	step("n1", { type: "tick" });
	expect(view("n1").transferTo).toBe("n2");
	simulation.now += 1;
	expect(step("n1", { type: "tick" })).toMatchObject([
		{ type: "transfer-ended", to: "n2", outcome: "timed-out" },
	]);
	expect(core("n1").tickDueAt()).toBeGreaterThan(simulation.now);
});
