/**
 * Rules about values that are in their register once: from the operation that brings the value to the
 * one that replaces it, its reign, and never again. They say early that an order cannot be completed,
 * which the search would find out late, after it tried everything that has nothing to do with it:
 *
 * - Nobody replaces the value while an operation is missing that saw it.
 * - Nobody brings the value while an operation of the register is missing that belongs to another
 *   reign and had ended before one that saw this value began: it would have to come after this reign,
 *   and so after the other, against the clock.
 *
 * Promised: only orders are forbidden that have no completion. Values that may come back have no rules.
 */
import type { Key, Value } from "./history.ts";
import type { Plan, Planned } from "./linearization-plan.ts";

export interface Placeable {
	readonly planned: Planned;
	/** Registers that it names and does not change, in whatever state it fits. */
	readonly keeps: ReadonlySet<number>;
	/** The values before it, for required ones, as far as they are known. */
	readonly observes: readonly { readonly register: number; readonly value: Value }[];
	readonly registers: readonly number[];
}

export interface Reigns {
	/** Whether the operation may come next, and lead from one state to the other. */
	allow(node: Placeable, before: readonly Value[], then: readonly Value[]): boolean;
	/** It was placed. */
	remove(node: Placeable): void;
	/** It was taken back. */
	add(node: Placeable): void;
}

interface Reign {
	/** Who saw the value and is not placed. */
	missing: number;
	/** When the last of those who saw the value began. */
	lastInvoked: number;
}

export function createReigns(
	keys: readonly Key[],
	nodes: readonly Placeable[],
	producers: Plan["producers"],
): Reigns {
	const reigns = keys.map(() => new Map<Value, Reign>());
	/** For each register the required operations that write it or saw something in it, by time of return. */
	const bound = keys.map((): Placeable[] => []);
	const places = keys.map(() => new Map<Placeable, number>());
	const placed = new Set<Placeable>();
	/** In `bound`: all before this place are placed. */
	const begins = keys.map(() => 0);

	for (const node of nodes) {
		for (const { register, value } of node.observes) {
			const key = keys[register];
			if (key === undefined) throw new RangeError(`there is no register ${register}`);
			if (producers(key, value) > (value === null ? 0 : 1)) continue;
			const reign = reigns[register]?.get(value) ?? { missing: 0, lastInvoked: 0 };
			reigns[register]?.set(value, reign);
			reign.missing++;
			reign.lastInvoked = Math.max(reign.lastInvoked, node.planned.invoked);
		}
		if (!node.planned.required) continue;
		for (const register of node.registers) {
			if (observed(node, register) !== undefined || changes(node, keys[register]))
				bound[register]?.push(node);
		}
	}
	for (const [register, list] of bound.entries()) {
		list.sort((one, other) => one.planned.returns - other.planned.returns);
		for (const [place, node] of list.entries()) places[register]?.set(node, place);
	}

	function change(node: Placeable, by: number): void {
		for (const { register, value } of node.observes) {
			const reign = reigns[register]?.get(value);
			if (reign !== undefined) reign.missing += by;
		}
	}

	function mayEnd(node: Placeable, register: number, value: Value): boolean {
		const reign = reigns[register]?.get(value);
		if (reign === undefined) return true;
		return reign.missing <= (observed(node, register) === value ? 1 : 0);
	}

	function mayBegin(node: Placeable, register: number, value: Value): boolean {
		const reign = reigns[register]?.get(value);
		if (reign === undefined) return true;
		const list = bound[register] ?? [];
		let place = begins[register] ?? 0;
		for (let first = list[place]; first !== undefined && placed.has(first); first = list[place]) place++;
		begins[register] = place;
		for (; place < list.length; place++) {
			const other = list[place];
			if (other === undefined || other.planned.returns >= reign.lastInvoked) return true;
			if (other === node || placed.has(other)) continue;
			if (!other.keeps.has(register) || observed(other, register) !== value) return false;
		}
		return true;
	}

	return {
		allow(node, before, then) {
			return node.registers.every((register) => {
				const value = before[register] ?? null;
				const left = then[register] ?? null;
				return value === left || (mayEnd(node, register, value) && mayBegin(node, register, left));
			});
		},
		remove(node) {
			placed.add(node);
			change(node, -1);
		},
		add(node) {
			placed.delete(node);
			change(node, 1);
			for (const register of node.registers) {
				const place = places[register]?.get(node) ?? Number.POSITIVE_INFINITY;
				begins[register] = Math.min(begins[register] ?? 0, place);
			}
		},
	};
}

function observed(node: Placeable, register: number): Value | undefined {
	return node.observes.find((one) => one.register === register)?.value;
}

/** Certainly, whatever it finds. */
function changes(node: Placeable, key: Key | undefined): boolean {
	return node.planned.operation.steps.some(
		(step) => step.key === key && (step.kind === "write" || step.kind === "append"),
	);
}
