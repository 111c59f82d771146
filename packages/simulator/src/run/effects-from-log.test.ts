import { expect, test } from "vitest";
import type { Entry, LogIndex, Term } from "../../../skein/src/consensus/types.ts";
import { splitPayload } from "../../../skein/src/node/fragments.ts";
import type { EntryContent } from "../machine/store.ts";
import { createEffectsFromLog } from "./effects-from-log.ts";

const read = (payload: Uint8Array): EntryContent => ({
	writes: [{ key: "x", value: new TextDecoder().decode(payload) }],
	setting: null,
});

function command(index: LogIndex, term: Term, value: string): Entry {
	const [whole] = splitPayload(new TextEncoder().encode(value), 1_000);
	if (whole === undefined) throw new Error("a payload has at least one piece");
	return { index, term, ...whole };
}

function world() {
	const log = createEffectsFromLog(read);
	const termAt = (_: string, index: LogIndex): Term => (index <= 2 ? 1 : 2);
	return {
		log,
		append: (entries: readonly Entry[]): void => {
			const work = { type: "append", truncateFrom: null, entries } as const;
			log.observe({ type: "log-work", node: "n1", work }, termAt);
		},
		apply: (index: LogIndex, term: Term) =>
			log.observe({ type: "applied", node: "n1", position: { index, term }, digest: null }, termAt),
	};
}

test("of what was appended at an index that counts which was applied, once", () => {
	const { log, append, apply } = world();
	append([command(2, 1, "a"), command(3, 1, "cut"), command(3, 2, "b")]);
	apply(3, 2);
	apply(2, 1);
	expect(log.effects.map(({ writes }) => writes[0]?.value)).toEqual(["a", "b"]);
	expect([1, 2, 3, 4].map((index) => log.committedTerm(index))).toEqual([1, 1, 2, null]);
});

test("nothing is applied that nobody appended, nor of a term in which nobody did, nor behind a gap", () => {
	const { log, append, apply } = world();
	const nobodyHas = /^applied entries were appended: n1 applied/u;
	append([command(3, 1, "of another term")]);
	expect(() => apply(2, 1)).toThrow(nobodyHas);
	expect(log.effects).toEqual([]);
	const other = world();
	other.append([command(2, 1, "a"), command(3, 1, "of another term")]);
	expect(() => other.apply(3, 2)).toThrow(nobodyHas);
	const behind = world();
	behind.append([command(3, 2, "behind a gap")]);
	expect(() => behind.apply(3, 2)).toThrow(nobodyHas);
});
