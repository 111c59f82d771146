/**
 * What a search for a linear order must place: the operations of a history made ready for it, with
 * everything decided that needs no search. Its point are operations of unknown outcome: each could
 * take effect at any later moment or never, so k of them multiply the search by 2^k. Where values are
 * unique nearly all of them decide themselves:
 *
 * - seen by an operation that happened: it happened too, and before the end of that operation;
 * - seen by nobody: leaving it out changes what nobody saw, so it is left out.
 *
 * Promised: the planned operations have a linear order exactly if the given ones have. The proofs
 * stand at the rules. What remains undecided (values that are not unique, deletes) stays optional.
 */
import type { Key, Operation, Seen, Step, Value } from "./history.ts";

export interface Planned {
	readonly operation: Operation;
	/** What each step saw, as far as it is known or follows. */
	readonly seen: Seen[];
	/** False: it may take effect after `invoked`, or never. */
	required: boolean;
	readonly invoked: number;
	/** It took effect before this. Infinity while it is not required. */
	returns: number;
	/** Where to try it first: its place in the log, as far as somebody said. Nothing is concluded from it. */
	hint: number;
}

export interface Contradiction {
	readonly reason: string;
	readonly keys: readonly Key[];
	readonly operations: readonly number[];
}

export interface Plan {
	readonly planned: readonly Planned[];
	/** How often a step of the planned operations may leave this value in the register. */
	readonly producers: (key: Key, value: Value) => number;
	/** Not null: there is certainly no linear order. */
	readonly contradiction: Contradiction | null;
}

/** What is known of one register from all steps that name it. */
interface Register {
	/** Steps append to it: its values are lists, and each item speaks for the operation that wrote it. */
	appended: boolean;
	/** Values and items cannot be told apart, or an outcome depends on a value that nobody saw: no rule applies. */
	opaque: boolean;
	readonly producers: Map<string, Planned[]>;
	deletes: number;
}

export function plan(operations: readonly Operation[]): Plan {
	const all: Planned[] = [];
	for (const operation of operations) {
		if (operation.outcome === "failed") continue;
		const required = operation.outcome === "ok";
		if (!required && !operation.steps.some(({ kind }) => kind !== "read")) continue;
		all.push({
			operation,
			seen: [...operation.seen],
			required,
			invoked: operation.invokedOrder,
			returns: required ? operation.completedOrder : Number.POSITIVE_INFINITY,
			hint: operation.position?.index ?? Number.POSITIVE_INFINITY,
		});
	}
	const registers = registersOf(all);
	const contradiction = requireWhatWasSeen(all, registers, operations);
	const planned = withoutUnseen(all, registers);
	return {
		planned,
		producers(key, value) {
			const register = registers.get(key);
			if (register === undefined) return 0;
			if (value === null) return register.deletes;
			if (register.opaque) return 2;
			const last = tokensOf(register, value).at(-1);
			return last === undefined ? 2 : (register.producers.get(last)?.length ?? 0);
		},
		contradiction,
	};
}

function registersOf(all: readonly Planned[]): Map<Key, Register> {
	const registers = new Map<Key, Register>();
	for (const { operation } of all) {
		for (const { key, kind } of operation.steps) {
			let register = registers.get(key);
			if (register === undefined) {
				register = { appended: false, opaque: false, producers: new Map(), deletes: 0 };
				registers.set(key, register);
			}
			if (kind === "append") register.appended = true;
		}
	}
	for (const one of all) {
		for (const step of one.operation.steps) {
			const register = registers.get(step.key);
			if (register !== undefined) addProducer(register, step, one);
		}
	}
	markOpaque(all, registers);
	return registers;
}

function addProducer(register: Register, step: Step, by: Planned): void {
	if (step.kind === "read") return;
	if (step.value === null) {
		register.deletes++;
		return;
	}
	if (register.appended && step.kind !== "append" && !step.value.endsWith(";")) register.opaque = true;
	if (step.kind === "append" && (step.value === "" || step.value.includes(";"))) register.opaque = true;
	const tokens = step.kind === "append" ? [step.value] : tokensOf(register, step.value);
	for (const token of tokens) {
		const producers = register.producers.get(token);
		if (producers === undefined) register.producers.set(token, [by]);
		else producers.push(by);
	}
}

/**
 * A compare-and-set whose client did not learn what it saw may have failed because of a value that
 * nobody saw: leaving that value out would let it succeed. An unknown one is harmless if it will be
 * left out itself when nobody saw its own value.
 */
function markOpaque(all: readonly Planned[], registers: Map<Key, Register>): void {
	for (let changed = true; changed; ) {
		changed = false;
		for (const one of all) {
			if (!one.required && isDecidable(one, registers)) continue;
			for (const [place, step] of one.operation.steps.entries()) {
				const register = registers.get(step.key);
				if (step.kind !== "compare-and-set" || one.seen[place] !== undefined) continue;
				if (register === undefined || register.opaque) continue;
				register.opaque = true;
				changed = true;
			}
		}
	}
}

/** Whether seen or unseen is all there is to know: each of its writes has a value of its own. */
function isDecidable(one: Planned, registers: ReadonlyMap<Key, Register>): boolean {
	return one.operation.steps.every((step) => {
		if (step.kind === "read") return true;
		const register = registers.get(step.key);
		if (register === undefined || register.opaque || step.value === null) return false;
		const tokens = step.kind === "append" ? [step.value] : tokensOf(register, step.value);
		return tokens.length > 0 && tokens.every((token) => register.producers.get(token)?.length === 1);
	});
}

/** By whom a value was made: itself, or of a list each item. */
function tokensOf(register: Register, value: string): string[] {
	return register.appended ? value.split(";").filter((item) => item !== "") : [value];
}

/**
 * Who was seen happened before the operation that saw it ended. That holds for each that is so found,
 * too, until nothing new follows. Values of two writers, or of none that is known, say nothing.
 */
function requireWhatWasSeen(
	all: readonly Planned[],
	registers: ReadonlyMap<Key, Register>,
	operations: readonly Operation[],
): Contradiction | null {
	const waiting: Planned[] = all.filter(({ required }) => required);
	for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
		for (const { key, value, token } of sightingsOf(one, registers)) {
			const producers: readonly Planned[] = registers.get(key)?.producers.get(token) ?? [];
			const [producer] = producers;
			if (producer === undefined) return neverWritten(one, key, token, operations);
			if (producers.length > 1 || producer === one) continue;
			const learned = learn(producer, key, value, token);
			if (producer.required && producer.returns <= one.returns && !learned) continue;
			producer.required = true;
			producer.returns = Math.min(producer.returns, one.returns);
			if (producer.operation.position === null) producer.hint = Math.min(producer.hint, one.hint - 0.5);
			if (producer.invoked > producer.returns) return fromTheFuture(one, producer, key, token);
			waiting.push(producer);
		}
	}
	return null;
}

interface Sighting {
	readonly key: Key;
	readonly value: string;
	/** Of one who made the value. */
	readonly token: string;
}

function sightingsOf(one: Planned, registers: ReadonlyMap<Key, Register>): Sighting[] {
	return one.operation.steps.flatMap(({ key }, place) => {
		const value = one.seen[place];
		const register = registers.get(key);
		if (typeof value !== "string" || register === undefined || register.opaque) return [];
		return tokensOf(register, value).map((token) => ({ key, value, token }));
	});
}

/**
 * What the producer of a value saw follows from the value: a compare-and-set found what it expected, an
 * append found what stands before its item. True: that is news.
 */
function learn(producer: Planned, key: Key, value: string, token: string): boolean {
	for (const [place, step] of producer.operation.steps.entries()) {
		if (step.key !== key || producer.seen[place] !== undefined) continue;
		if (step.kind === "compare-and-set" && step.value === value) producer.seen[place] = step.expected;
		else if (step.kind === "append" && step.value === token) producer.seen[place] = before(value, token);
		else continue;
		return true;
	}
	return false;
}

/** What was in a list before this item was appended. */
function before(list: string, item: string): Value {
	const at = `;${list}`.indexOf(`;${item};`);
	return at <= 0 ? null : list.slice(0, at);
}

/**
 * Takes out unknown operations that nobody saw, but those in it. Take any linear order with them: from
 * such an operation to the next write of the register nobody looked (a failed compare-and-set would
 * have seen it, an append would have carried it along), so without it everybody sees the same.
 */
function withoutUnseen(all: readonly Planned[], registers: ReadonlyMap<Key, Register>): Planned[] {
	const kept = new Set(all.filter((one) => one.required || !isDecidable(one, registers)));
	const waiting: Planned[] = [...kept];
	for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
		for (const { key, token } of sightingsOf(one, registers)) {
			for (const producer of registers.get(key)?.producers.get(token) ?? []) {
				if (kept.has(producer)) continue;
				kept.add(producer);
				waiting.push(producer);
			}
		}
	}
	return all.filter((one) => kept.has(one));
}

function neverWritten(
	one: Planned,
	key: Key,
	value: string,
	operations: readonly Operation[],
): Contradiction {
	const failed = operations.find(
		({ outcome, steps }) =>
			outcome === "failed" &&
			steps.some((step) => step.kind !== "read" && step.key === key && step.value === value),
	);
	const { id } = one.operation;
	return {
		reason:
			failed === undefined
				? `operation ${id} saw ${value} in ${key}, which nobody wrote`
				: `operation ${id} saw ${value} in ${key}: operation ${failed.id} wrote that, and it certainly did not happen`,
		keys: [key],
		operations: failed === undefined ? [id] : [failed.id, id],
	};
}

function fromTheFuture(one: Planned, producer: Planned, key: Key, value: string): Contradiction {
	const ids = [one.operation.id, producer.operation.id] as const;
	return {
		reason: `operation ${ids[0]} saw ${value} in ${key} (or what follows from it) and ended before operation ${ids[1]}, which wrote it, began`,
		keys: [key],
		operations: ids,
	};
}
