/**
 * What comes and goes many times a second, in the order in which it came: a set would hash each of its elements twice,
 * and copy itself again and again as it shrinks. The links are in the elements, so each is in one list at most.
 */
export interface Linked<T> {
	before: T | null;
	behind: T | null;
	/** It is in the list. */
	isLinked: boolean;
}

export interface LinkedList<T> {
	readonly isEmpty: boolean;
	/** At the end. It must not be in a list. */
	add(one: T): void;
	/** Nothing happens if it is not there. */
	remove(one: T): void;
	clear(): void;
	/** A copy, in order. */
	all(): T[];
}

export function createLinkedList<T extends Linked<T>>(): LinkedList<T> {
	let first: T | null = null;
	let last: T | null = null;

	function all(): T[] {
		const list: T[] = [];
		for (let one = first; one !== null; one = one.behind) list.push(one);
		return list;
	}

	function remove(one: T): void {
		if (!one.isLinked) return;
		const { before, behind } = one;
		if (before === null) first = behind;
		else before.behind = behind;
		if (behind === null) last = before;
		else behind.before = before;
		one.before = null;
		one.behind = null;
		one.isLinked = false;
	}

	return {
		get isEmpty() {
			return first === null;
		},
		add(one) {
			if (one.isLinked) throw new Error("it is in a list already");
			one.before = last;
			one.isLinked = true;
			if (last === null) first = one;
			else last.behind = one;
			last = one;
		},
		remove,
		clear() {
			for (const one of all()) remove(one);
		},
		all,
	};
}
