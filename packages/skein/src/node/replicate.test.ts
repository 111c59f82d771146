import fc from "fast-check";
import { expect, test } from "vitest";
import type { LogIndex, Position } from "../consensus/types.ts";
import { createFragmentJoiner } from "./fragments.ts";
import { type Replicated, type ReplicateOptions, replicate } from "./replicate.ts";
import { watch } from "./testing/cluster.ts";
import { createRunners, type RunnerMember, type Runners } from "./testing/runners.ts";

interface Bench extends Runners {
	readonly leading: RunnerMember;
	/** The most bytes that were in the log and not committed, as seen whenever `replicate` waits. */
	mostUncommittedBytes: number;
	readonly committed: (index: LogIndex) => Promise<boolean>;
}

/** As leading.ts has it: until the commit index is there, or leadership is not. */
async function createBench(options: Parameters<typeof createRunners>[0]): Promise<Bench> {
	const runners = await createRunners(options);
	const leading = await runners.leader();
	const { runner, log, listener } = leading;
	const { term } = runner.state;
	let waiting: { index: LogIndex; resolve: (committed: boolean) => void } | null = null;
	listener.onCommit = (index) => {
		if (waiting !== null && index >= waiting.index) waiting.resolve(true);
	};
	listener.onRole = (state) => {
		if (state.role !== "leader" || state.term !== term) waiting?.resolve(false);
	};
	const bench: Bench = {
		...runners,
		leading,
		mostUncommittedBytes: 0,
		committed(index) {
			bench.mostUncommittedBytes = Math.max(bench.mostUncommittedBytes, uncommittedBytes());
			if (runner.state.role !== "leader") return Promise.resolve(false);
			if (runner.commitIndex >= index) return Promise.resolve(true);
			return new Promise((resolve) => {
				waiting = { index, resolve };
			});
		},
	};
	function uncommittedBytes(): number {
		const first = runner.commitIndex + 1;
		const entries = log.readCached(first, runner.core.view.lastIndex, Number.MAX_SAFE_INTEGER) ?? [];
		return entries.reduce((sum, entry) => sum + entry.payload.length, 0);
	}
	return bench;
}

async function end(bench: Bench, replicated: Promise<Ended>): Promise<Ended> {
	const seen = watch(replicated);
	for (let turn = 0; turn < 500 && !seen.settled; turn++) await bench.clock.run(5);
	expect(seen.error).toBe(null);
	if (seen.value === null) throw new Error("neither committed nor lost");
	return seen.value;
}

/** What a member would apply, and from which positions. */
async function commandsOf(
	member: RunnerMember,
	first: LogIndex,
): Promise<{ index: number; term: number; payload: number[] }[]> {
	const joiner = createFragmentJoiner();
	const commands = [];
	const last = member.runner.commitIndex;
	if (last < first) return [];
	for (const entry of await member.log.read(first, last, Number.MAX_SAFE_INTEGER)) {
		if (entry.kind !== "command" && entry.kind !== "fragment") continue;
		const payload = joiner.add(entry);
		if (payload !== null) commands.push({ index: entry.index, term: entry.term, payload: [...payload] });
	}
	return commands;
}

function payloadsOf(sizes: readonly number[]): Uint8Array[] {
	return sizes.map((size, number) => Uint8Array.from({ length: size }, (_, place) => number * 31 + place));
}

type Ended =
	| Exclude<Replicated, { type: "proposed" }>
	| { readonly type: "committed"; readonly positions: readonly Position[]; readonly last: Position };

/** Until it is committed, too. */
async function replicateWhole(
	payloads: readonly Uint8Array[],
	options: Omit<ReplicateOptions, "acknowledgement" | "onLast">,
): Promise<Ended> {
	const result = await replicate(payloads, { ...options, acknowledgement: { mode: "quorum" }, onLast() {} });
	if (result.type !== "proposed") return result;
	return (await options.committed(result.last.index)) ? { ...result, type: "committed" } : { type: "lost" };
}

test("payloads of any size come out of the log as they went in, and never too much of them is on its way", async () => {
	const bench = await createBench({ size: 1 });
	const { leading } = bench;
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 12 }),
			fc.integer({ min: 1, max: 200 }),
			fc.integer({ min: 2, max: 1_000 }),
			async (sizes, fragmentBytes, maxProposedBytes) => {
				bench.mostUncommittedBytes = 0;
				const payloads = payloadsOf(sizes);
				const first = leading.runner.core.view.lastIndex + 1;
				const { runner } = leading;
				const result = await end(
					bench,
					replicateWhole(payloads, { runner, fragmentBytes, maxProposedBytes, committed: bench.committed }),
				);
				if (result.type !== "committed") throw new Error(result.type);
				const commands = await commandsOf(leading, first);
				expect(commands.map(({ payload }) => payload)).toEqual(payloads.map((payload) => [...payload]));
				expect(result.positions).toEqual(commands.map(({ term, index }) => ({ term, index })));
				expect(result.last).toEqual(result.positions.at(-1));
				// Two slices; one piece (and its first byte) alone may be larger than a slice.
				const sliceBytes = Math.max(maxProposedBytes / 2, fragmentBytes + 1);
				expect(bench.mostUncommittedBytes).toBeLessThanOrEqual(2 * sliceBytes);
			},
		),
		{ numRuns: 150 },
	);
});

test("a slice is not held up by the one before it", async () => {
	const bench = await createBench({ size: 3 });
	const { runner } = bench.leading;
	const before = runner.core.view.lastIndex;
	const options = { runner, fragmentBytes: 99, maxProposedBytes: 400, committed: bench.committed };
	const replicated = replicateWhole(payloadsOf([1_000]), options);
	// Two slices of two pieces each, at once: the disk and the followers never wait for the next.
	expect(runner.core.view.lastIndex - before).toBe(4);
	expect((await end(bench, replicated)).type).toBe("committed");
	expect(bench.mostUncommittedBytes).toBe(400);
});

test("what is refused at its beginning is not in the log", async () => {
	const bench = await createBench({ size: 3 });
	const { runner } = bench.leading;
	const options = { runner, fragmentBytes: 100, maxProposedBytes: 400, committed: bench.committed };
	const [target] = bench.followers();
	runner.step({ type: "transfer", to: target?.id ?? null });
	const last = runner.core.view.lastIndex;
	const refused = replicateWhole(payloadsOf([1_000]), options);
	expect(runner.core.view.lastIndex).toBe(last);
	expect(await refused).toEqual({ type: "refused", reason: "transferring" });
	await bench.clock.run(2_000);
	const later = await end(bench, replicateWhole(payloadsOf([10]), options));
	expect(later).toEqual({ type: "refused", reason: "not-leader" });
});

test("what is refused half way is lost, and its leader leads no more", async () => {
	const bench = await createBench({ size: 3 });
	const { leading } = bench;
	const [target] = bench.followers();
	const { term } = leading.runner.state;
	const result = await end(
		bench,
		replicateWhole(payloadsOf([10, 2_000]), {
			runner: leading.runner,
			fragmentBytes: 200,
			maxProposedBytes: 800,
			committed(index) {
				leading.runner.step({ type: "transfer", to: target?.id ?? null });
				return bench.committed(index);
			},
		}),
	);
	expect(result).toEqual({ type: "lost" });
	expect(leading.runner.state.role).not.toBe("leader");
	// The next leader's barrier ends what was begun: nobody applies half of it.
	await bench.clock.run(3_000);
	const next = await bench.leader();
	expect(next.runner.state.term).toBeGreaterThan(term);
	for (const member of bench.members) {
		const commands = await commandsOf(member, 1);
		expect(commands.map(({ payload }) => payload.length)).toEqual([10]);
	}
});

test("a slice for which the core has no room waits for those before it", async () => {
	const bench = await createBench({ size: 3, consensus: { maxUncommittedBytes: 300 } });
	const { runner } = bench.leading;
	const options = { runner, fragmentBytes: 200, maxProposedBytes: 800, committed: bench.committed };
	const result = await end(bench, replicateWhole(payloadsOf([10, 2_000]), options));
	expect(result.type).toBe("committed");
	expect(runner.state.role).toBe("leader");
});

test.each([
	["before the first slice is committed", 0],
	["between two slices", 1],
	["after the last slice", 4],
])("leadership that ends %s is told as lost", async (_, askedBefore) => {
	const bench = await createBench({ size: 3 });
	const { runner, id } = bench.leading;
	let asked = 0;
	const seen = watch(
		replicateWhole(payloadsOf([1_000]), {
			runner,
			fragmentBytes: 100,
			maxProposedBytes: 400,
			committed(index) {
				if (asked++ === askedBefore) bench.network.cut(id, true);
				return bench.committed(index);
			},
		}),
	);
	await bench.clock.run(3_000);
	expect(seen.value).toEqual({ type: "lost" });
	expect(asked).toBeGreaterThan(askedBefore);
});

test("another proposer between two slices is a mistake that does not go unnoticed", async () => {
	const bench = await createBench({ size: 1 });
	const { runner } = bench.leading;
	const seen = watch(
		replicateWhole(payloadsOf([1_000]), {
			runner,
			fragmentBytes: 100,
			maxProposedBytes: 400,
			committed(index) {
				runner.propose([{ kind: "command", payload: new Uint8Array([1]) }], null);
				return bench.committed(index);
			},
		}),
	);
	await bench.clock.run(500);
	expect(String(seen.error)).toContain("another proposal came between");
});
