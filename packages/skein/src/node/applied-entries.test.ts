// Fragments become one payload, or pieces where the database takes them; what has no end is dropped.
import { expect, test } from "vitest";
import type { Entry } from "../consensus/types.ts";
import { createAppliedEntries, isEffect } from "./applied-entries.ts";
import { splitPayload } from "./fragments.ts";

let index = 0;

function fragments(text: string): Entry[] {
	return [...splitPayload(new TextEncoder().encode(text), 4)].map(({ kind, payload }) => ({
		term: 1,
		index: ++index,
		kind,
		payload,
	}));
}

const barrier = (): Entry => ({ term: 2, index: ++index, kind: "barrier", payload: new Uint8Array(0) });
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Takes what begins with P in pieces. */
function create() {
	const entries = createAppliedEntries({ takesPieces: (beginning) => beginning[0] === "P".charCodeAt(0) });
	return (all: readonly Entry[]) =>
		all.flatMap((entry) => {
			const next = entries.next(entry);
			return next === null ? [] : [[next.kind, textOf(next.payload), isEffect(next)]];
		});
}

test("pieces are handed on as they come, all else is put together", () => {
	const taken = create();
	expect(taken([...fragments("Pieces are"), ...fragments("whole it is"), ...fragments("P")])).toEqual([
		["first-piece", "Piec", false],
		["later-piece", "es a", false],
		["last-piece", "re", true],
		["command", "whole it is", true],
		["command", "P", true],
	]);
});

test("what has no end is dropped with the next leader, and its rest is refused", () => {
	const taken = create();
	const lost = fragments("Pieces without an end");
	expect(taken([...lost.slice(0, 2), barrier(), ...fragments("next")])).toMatchObject([
		["first-piece", "Piec", false],
		["later-piece", "es w", false],
		["barrier", "", true],
		["command", "next", true],
	]);
	expect(() => taken(lost.slice(2))).toThrow("never began");
	// The leader was deposed and the next one's transaction begins anew, without a barrier in between.
	const whole = fragments("whole, without an end").slice(0, 2);
	expect(taken([...whole, ...fragments("Pieces")])).toEqual([
		["first-piece", "Piec", false],
		["last-piece", "es", true],
	]);
});
