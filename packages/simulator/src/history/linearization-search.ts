/**
 * The search for one linear order of operations on a group of registers: Wing and Gong's, with Lowe's
 * memory of configurations that led nowhere (Testing for Linearizability, 2017; Porcupine does the
 * same). An operation may come next if no other that is still missing had ended before it began.
 *
 * Three things keep it fast where values are unique, and change no answer:
 * - What changes nothing and saw what is there comes next without trying anything else.
 * - A value that cannot come back stays for all who saw it (linearization-reigns.ts).
 * - A configuration is small: everything that ended before the first missing operation is in it, so
 *   only those placed ahead of that are named.
 *
 * Promised: "good" and "bad" are exact. Bounded by counts and not by time, so a run is repeatable.
 */
import type { Key, Seen, Step, Value } from "./history.ts";
import { after } from "./history.ts";
import type { Plan, Planned } from "./linearization-plan.ts";
import { createReigns, type Placeable } from "./linearization-reigns.ts";

export interface SearchLimits {
	/** Configurations remembered; about 150 bytes each. */
	readonly configurations: number;
	/** Operations tried as the next. */
	readonly steps: number;
}

export type SearchResult =
	| { readonly type: "good"; readonly order: readonly number[] }
	| {
			readonly type: "bad";
			/** The one that had to be placed and could not, when most were placed. */
			readonly stuck: number;
			readonly placed: number;
			readonly state: ReadonlyMap<Key, Value>;
	  }
	| { readonly type: "not decided"; readonly configurations: number; readonly steps: number };

interface Node extends Placeable {
	readonly number: number;
	/** Required, and changes nothing in whatever state it fits. */
	readonly pure: boolean;
	/** Place among the required by the time of return; Infinity for others. */
	rank: number;
	/** Neighbours among those not placed, by time of invocation. */
	previous: Node | null;
	next: Node | null;
}

interface Configuration {
	readonly state: readonly Value[];
	/** Numbers of those placed although something that ended earlier is missing; ascending. */
	readonly ahead: readonly number[];
	/** Rank of the first required one that is missing. */
	readonly first: number;
}

interface Frame {
	readonly node: Node;
	readonly before: Configuration;
	/** Tried after this one failed, the last first. */
	readonly alternatives: Node[];
}

export function search(
	planned: readonly Planned[],
	keys: readonly Key[],
	producers: Plan["producers"],
	limits: SearchLimits,
): SearchResult {
	const registers = new Map(keys.map((key, place) => [key, place]));
	const nodes = nodesOf(planned, registers);
	const byReturn = nodes
		.filter((node) => node.planned.required)
		.sort((one, other) => one.planned.returns - other.planned.returns || one.number - other.number);
	for (const [rank, node] of byReturn.entries()) node.rank = rank;
	const placed = new Uint8Array(byReturn.length);
	const reigns = createReigns(keys, nodes, producers);
	const names = createNames();
	const visited = new Set<string>();
	let head = linked(nodes);
	let steps = 0;

	let current: Configuration = { state: keys.map(() => null), ahead: [], first: 0 };
	const frames: Frame[] = [];
	let deepest = { placed: -1, stuck: byReturn[0], state: current.state };

	function unlink(node: Node): void {
		if (node.previous === null) head = node.next;
		else node.previous.next = node.next;
		if (node.next !== null) node.next.previous = node.previous;
	}

	function relink(node: Node): void {
		if (node.previous === null) head = node;
		else node.previous.next = node;
		if (node.next !== null) node.next.previous = node;
	}

	/** Null: it does not fit, or need not be tried. */
	function following(node: Node): Configuration | null {
		steps++;
		const state = apply(node.planned, current.state, registers);
		if (state === null) return null;
		if (!node.planned.required && node.registers.every((place) => state[place] === current.state[place]))
			return null;
		if (!reigns.allow(node, current.state, state)) return null;
		let { first } = current;
		if (node.rank === first) {
			first++;
			while (first < byReturn.length && placed[first] === 1) first++;
		}
		const ahead =
			node.rank === current.first
				? current.ahead.filter((number) => (nodes[number]?.rank ?? 0) > first)
				: inserted(current.ahead, node.number);
		const configuration = { state, ahead, first };
		const name = `${first}|${ahead.join()}|${state.map(names).join()}`;
		if (visited.has(name)) return null;
		visited.add(name);
		return configuration;
	}

	function place(node: Node, configuration: Configuration, alternatives: Node[]): void {
		frames.push({ node, before: current, alternatives });
		unlink(node);
		if (node.planned.required) placed[node.rank] = 1;
		reigns.remove(node);
		current = configuration;
	}

	function takeBack(): Frame | undefined {
		const frame = frames.pop();
		if (frame === undefined) return undefined;
		const { node } = frame;
		reigns.add(node);
		if (node.planned.required) placed[node.rank] = 0;
		relink(node);
		current = frame.before;
		return frame;
	}

	/** Places the first that may come next. */
	function advance(candidates: Node[]): boolean {
		for (let node = candidates.pop(); node !== undefined; node = candidates.pop()) {
			const configuration = following(node);
			if (configuration === null) continue;
			place(node, configuration, candidates);
			return true;
		}
		return false;
	}

	/** Those that began before somebody missing ended; the likeliest last. */
	function candidatesFor(until: number): Node[] {
		const candidates: Node[] = [];
		for (let node = head; node !== null && node.planned.invoked < until; node = node.next)
			candidates.push(node);
		return candidates.sort(
			(one, other) => compare(other.planned.hint, one.planned.hint) || other.number - one.number,
		);
	}

	function fitting(until: number): Node | null {
		for (let node = head; node !== null && node.planned.invoked < until; node = node.next) {
			if (node.pure && apply(node.planned, current.state, registers) !== null) return node;
		}
		return null;
	}

	let alternatives: Node[] | null = null;
	for (;;) {
		const stuck = byReturn[current.first];
		if (stuck === undefined) {
			return { type: "good", order: frames.map(({ node }) => node.planned.operation.id) };
		}
		if (steps > limits.steps || visited.size > limits.configurations) {
			return { type: "not decided", configurations: visited.size, steps };
		}
		if (alternatives === null) {
			if (frames.length > deepest.placed) deepest = { placed: frames.length, stuck, state: current.state };
			const until = stuck.planned.returns;
			const forced = fitting(until);
			alternatives = forced === null ? candidatesFor(until) : [forced];
		}
		if (advance(alternatives)) alternatives = null;
		else {
			const frame = takeBack();
			if (frame === undefined) break;
			({ alternatives } = frame);
		}
	}
	return {
		type: "bad",
		stuck: deepest.stuck?.planned.operation.id ?? -1,
		placed: deepest.placed,
		state: new Map(keys.map((key, number) => [key, deepest.state[number] ?? null])),
	};
}

function nodesOf(planned: readonly Planned[], registers: ReadonlyMap<Key, number>): Node[] {
	const sorted = planned.toSorted((one, other) => one.invoked - other.invoked);
	return sorted.map((one, number) => {
		const written = new Set<Key>();
		const looked = new Set<Key>();
		const observes: { register: number; value: Value }[] = [];
		for (const [place, step] of one.operation.steps.entries()) {
			const seen = one.seen[place];
			if (seen !== undefined && !written.has(step.key) && !looked.has(step.key)) {
				observes.push({ register: registers.get(step.key) ?? 0, value: seen });
				looked.add(step.key);
			}
			if (step.kind !== "read") written.add(step.key);
		}
		const touched = new Set(one.operation.steps.map(({ key }) => registers.get(key) ?? 0));
		const keeps = new Set(touched);
		for (const [place, step] of one.operation.steps.entries()) {
			if (mayChange(step, one.seen[place])) keeps.delete(registers.get(step.key) ?? 0);
		}
		return {
			planned: one,
			number,
			rank: Number.POSITIVE_INFINITY,
			pure: one.required && keeps.size === touched.size,
			keeps,
			observes: one.required ? observes : [],
			registers: [...touched],
			previous: null,
			next: null,
		};
	});
}

function compare(one: number, other: number): number {
	return one === other ? 0 : one < other ? -1 : 1;
}

function mayChange(step: Step, seen: Seen): boolean {
	if (step.kind === "compare-and-set") return seen === undefined || seen === step.expected;
	return step.kind !== "read";
}

function linked(nodes: readonly Node[]): Node | null {
	for (const [place, node] of nodes.entries()) {
		node.previous = nodes[place - 1] ?? null;
		node.next = nodes[place + 1] ?? null;
	}
	return nodes[0] ?? null;
}

/** Null: it saw something else. */
function apply(
	{ operation, seen }: Planned,
	state: readonly Value[],
	registers: ReadonlyMap<Key, number>,
): readonly Value[] | null {
	let result: Value[] | null = null;
	for (const [place, step] of operation.steps.entries()) {
		const register = registers.get(step.key) ?? 0;
		const before = (result ?? state)[register] ?? null;
		const saw = seen[place];
		if (saw !== undefined && saw !== before) return null;
		if (step.kind === "read") continue;
		const left = after(step, before);
		if (left === before) continue;
		result ??= [...state];
		result[register] = left;
	}
	return result ?? state;
}

/** A short name for each value, so that the names of configurations are short. */
function createNames(): (value: Value) => number {
	const names = new Map<Value, number>();
	return (value) => {
		const known = names.get(value);
		if (known !== undefined) return known;
		names.set(value, names.size);
		return names.size - 1;
	};
}

function inserted(list: readonly number[], number: number): number[] {
	const at = list.findIndex((one) => one > number);
	return at < 0 ? [...list, number] : list.toSpliced(at, 0, number);
}
