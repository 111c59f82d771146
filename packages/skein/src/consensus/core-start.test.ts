/** What a core begins with: it refuses what cannot be, and forgets nothing that it promised. */
import { expect, test } from "vitest";
import { noMembers } from "./configuration.ts";
import type { CoreOptions } from "./core.ts";
import { createCore } from "./core.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { voters } from "./testing/surroundings.ts";
import type { Configuration } from "./types.ts";

const three = voters("n1", "n2", "n3");
const voterThatIsNone: Configuration = { ...three, voters: ["n1", "n9"] };

/** Its log holds entry 6 of term 3; the database has what was before. */
function start(given: Partial<CoreOptions> = {}) {
	return createCore({
		self: "n1",
		group: 1,
		settings: defaultConsensusSettings,
		seed: 1,
		now: 1_000,
		promise: { term: 3, votedFor: "n2" },
		base: { index: 5, term: 2 },
		headers: [{ index: 6, term: 3, sizeBytes: 10 }],
		configuration: { index: 4, value: three },
		configurations: [],
		commitIndex: 5,
		...given,
	});
}

test("a promise of a term behind the log's was lost: it does not start (bug 2)", () => {
	expect(start().view).toMatchObject({ term: 3, votedFor: "n2", lastIndex: 6, lastTerm: 3 });
	expect(() => start({ promise: { term: 2, votedFor: null } })).toThrow(
		"promise of term 2 behind the log's 3",
	);
});

test("the term of a snapshot is entered if it is a later one; a vote in the same term is kept", () => {
	const later = start({ base: { index: 5, term: 4 }, headers: [] });
	expect(later.view).toMatchObject({ term: 4, votedFor: null });
	const same = start({ base: { index: 5, term: 3 }, headers: [] });
	expect(same.view).toMatchObject({ term: 3, votedFor: "n2" });
});

test("a database that the log does not reach, on either side, is refused", () => {
	expect([start({ commitIndex: 5 }), start({ commitIndex: 6 })].map(({ view }) => view.commitIndex)).toEqual([
		5, 6,
	]);
	for (const commitIndex of [4, 7])
		expect(() => start({ commitIndex })).toThrow(`applied ${commitIndex}, the log holds 5 to 6`);
});

test("only before the first entry there may be no members, and every configuration must make sense", () => {
	expect(() => start({ configuration: { index: 4, value: noMembers } })).toThrow("without voters");
	for (const index of [0, 4])
		expect(() => start({ configuration: { index, value: voterThatIsNone } })).toThrow("n9 is not a member");
	expect(() => start({ configurations: [{ index: 6, value: voterThatIsNone }] })).toThrow("not a member");
	const joins = { base: { index: 0, term: 0 }, headers: [], commitIndex: 0 };
	expect(start({ ...joins, configuration: { index: 0, value: noMembers } }).view.configuration).toBe(
		noMembers,
	);
});

test("the last configuration in the log counts, and names the elector", () => {
	const { view } = start({
		configuration: { index: 4, value: { ...three, elector: "manual" } },
		headers: [6, 7].map((index) => ({ index, term: 3, sizeBytes: 10 })),
		configurations: [
			{ index: 6, value: { ...three, elector: "zab" } },
			{ index: 7, value: { ...three, elector: "bully" } },
		],
	});
	expect([view.elector, view.configurationIndex]).toEqual(["bully", 7]);
});

test("what it asks after a start is apart from all that it asked before: an answer to that must not count", () => {
	const ids = Array.from({ length: 20 }, (_, seed) => {
		const core = start({ seed });
		const heartbeat = {
			type: "heartbeat-request",
			round: 1,
			commitIndex: 5,
			lease: null,
			endsReads: false,
		} as const;
		const envelope = { group: 1, from: "n2", to: "n1", term: 3 } as const;
		core.step({ type: "message", now: 1_000, message: { ...heartbeat, ...envelope } });
		const outputs = core.step({ type: "read", now: 1_000, readId: 1 });
		return outputs.flatMap((output) =>
			output.type === "send" && output.message.type === "read-index-request" ? [output.message.readId] : [],
		);
	}).flat();
	expect(ids.filter((id) => Number.isSafeInteger(id) && id > 0)).toHaveLength(20);
	ids.sort((one, other) => one - other);
	// So many questions one life may ask.
	const gaps = ids.slice(1).map((id, place) => id - (ids[place] ?? 0));
	expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2 ** 21);
});
