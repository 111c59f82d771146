import { expect, test } from "vitest";
import { createLinkedList, type Linked } from "./linked-list.ts";

interface Named extends Linked<Named> {
	readonly name: string;
}

const named = (name: string): Named => ({ name, before: null, behind: null, isLinked: false });

test("elements stay in the order in which they came, whichever of them goes", () => {
	const list = createLinkedList<Named>();
	const [a, b, c, d] = [named("a"), named("b"), named("c"), named("d")];
	const names = (): string => list.all().reduce((text, { name }) => text + name, "");
	for (const one of [a, b, c, d]) list.add(one);
	expect(names()).toBe("abcd");
	list.remove(b);
	expect(names()).toBe("acd");
	list.remove(a);
	list.remove(d);
	expect(names()).toBe("c");
	list.add(a);
	expect(names()).toBe("ca");
	list.remove(b);
	expect(names()).toBe("ca");
	list.clear();
	expect(list.isEmpty).toBe(true);
	list.add(c);
	expect(names()).toBe("c");
});

test("an element is in a list once", () => {
	const list = createLinkedList<Named>();
	const one = named("a");
	list.add(one);
	expect(() => list.add(one)).toThrow("already");
});
