/** A group of which a test says itself what happens when: a simulation with its checker, and short words for both. */
import type { Acknowledgement } from "../acknowledge/acknowledgement.ts";
import type { ConsensusMessage } from "../message.ts";
import type { Output } from "../output.ts";
import type { ConsensusSettings } from "../settings.ts";
import { defaultConsensusSettings } from "../settings.ts";
import type { MemberChange, NodeId } from "../types.ts";
import type { CoreView } from "../view.ts";
import { watch } from "./checker.ts";
import type { SimulatedNode, TimelessInput } from "./simulation.ts";
import { createSimulation, textBytes } from "./simulation.ts";

type Chooses = (message: ConsensusMessage) => boolean;
type OfType<T extends Output["type"]> = Extract<Output, { type: T }>;

export type SmallGroup = ReturnType<typeof createSmallGroup>;

export function createSmallGroup(ids: readonly NodeId[], settings: Partial<ConsensusSettings> = {}) {
	const simulation = createSimulation({
		ids,
		settings: { ...defaultConsensusSettings, ...settings },
		seed: 1,
	});
	const checker = watch(simulation);
	/** What came of everything, the oldest first, until it is taken. */
	let said: { readonly by: NodeId; readonly output: Output }[] = [];
	const check = simulation.onOutput;
	simulation.onOutput = (one, output) => {
		check(one, output);
		said.push({ by: one.id, output });
	};
	/** Members that nothing comes from or to, and what hangs: "disk of n2", "database of n2". */
	const away = new Set<string>();
	const node = (id: NodeId): SimulatedNode => {
		const found = simulation.nodes.get(id);
		if (found === undefined) throw new Error(`no ${id}`);
		return found;
	};
	const view = (id: NodeId): CoreView => {
		const { core } = node(id);
		if (core === null) throw new Error(`${id} is down`);
		return core.view;
	};
	/** What comes of it at this member, at once. */
	const step = (id: NodeId, input: TimelessInput): Output[] => {
		const before = said.length;
		simulation.step(node(id), input);
		return said.slice(before).map(({ output }) => output);
	};
	const tick = (id: NodeId, afterMs = 0): Output[] => {
		simulation.now += afterMs;
		return step(id, { type: "tick" });
	};
	/** Disks, databases and messages, until nothing happens any more. What is held stays on its way. */
	const settle = (isHeld: Chooses = () => false): void => {
		for (let round = 0, busy = true; busy && round < 100; round++) {
			busy = false;
			for (const each of simulation.nodes.values()) {
				if (!away.has(`disk of ${each.id}`)) busy = simulation.completeDisk(each, 100) > 0 || busy;
				if (!away.has(`database of ${each.id}`)) simulation.apply(each);
			}
			for (const message of simulation.inFlight.splice(0)) {
				if (away.has(message.from) || away.has(message.to)) continue;
				if (isHeld(message)) {
					simulation.inFlight.push(message);
					continue;
				}
				busy = true;
				simulation.deliver(message);
			}
		}
	};
	/** The leader alone looks at the clock, so nobody stands meanwhile. */
	const beat = (leader: NodeId, times = 1, isHeld?: Chooses): void => {
		for (let each = 0; each < times; each++) {
			tick(leader, 50);
			settle(isHeld);
		}
	};
	/** It stands as soon as it does by itself. */
	const stand = (id: NodeId, isHeld?: Chooses): void => {
		simulation.now = Math.max(simulation.now, node(id).core?.tickDueAt() ?? 0);
		tick(id);
		settle(isHeld);
	};
	const propose = (id: NodeId, text: string, acknowledgement: Acknowledgement | null = null): Output[] => {
		const entries = [{ kind: "command" as const, payload: textBytes(text) }];
		return step(id, { type: "propose", entries, acknowledgement });
	};
	const read = (id: NodeId, readId: number): Output[] => {
		checker.readBegan(readId);
		return step(id, { type: "read", readId });
	};
	const change = (id: NodeId, changes: readonly MemberChange[], force = false): Output[] =>
		step(id, { type: "change-members", changes, force, dryRun: false });
	/** What this member said since the last time. */
	const take = (id: NodeId): Output[] => {
		const taken = said.filter(({ by }) => by === id);
		said = said.filter(({ by }) => by !== id);
		return taken.map(({ output }) => output);
	};
	/** Of those that are on their way the oldest that is meant, and nothing that it leads to. */
	const deliver = (isMeant: Chooses): void => {
		const found = simulation.inFlight.find(isMeant);
		if (found === undefined) throw new Error("nothing of that is on its way");
		simulation.inFlight.splice(simulation.inFlight.indexOf(found), 1);
		simulation.deliver(found);
	};
	return {
		simulation,
		away,
		node,
		view,
		step,
		tick,
		settle,
		beat,
		stand,
		propose,
		read,
		change,
		take,
		deliver,
	};
}

export function ofType<T extends Output["type"]>(outputs: readonly Output[], type: T): OfType<T>[] {
	return outputs.filter((one): one is OfType<T> => one.type === type);
}

/** To whom what is sent, as "n2 append-response"; entries as "n2 send-entries". */
export function sent(outputs: readonly Output[]): string[] {
	return outputs.flatMap((one) => {
		if (one.type === "send") return [`${one.message.to} ${one.message.type}`];
		return one.type === "send-entries" ? [`${[one.to, ...one.route].join(" ")} send-entries`] : [];
	});
}
