import { expect, test } from "vitest";
import type { NodeId } from "../consensus/types.ts";
import { EntryAbsentError } from "../log/errors.ts";
import { decodeMessage } from "../peer/codec/message.ts";
import { createRunners, type RunnerMember, type Runners } from "./testing/runners.ts";

interface Bench extends Runners {
	readonly leading: RunnerMember;
	readonly behind: RunnerMember;
	/** Refusals of appends by the follower that was behind. */
	refused: number;
	/** Called when the leader hears for the first time where the follower's log agrees with its own: it will stream. */
	beforeStream: () => void;
}

/** A leader whose memory holds next to nothing of its log, and a follower that lacks most of it. */
async function createBench(): Promise<Bench> {
	const runners = await createRunners({
		size: 3,
		logCacheBytes: 1_000,
		consensus: { maxAppendBytes: 4_000 },
	});
	const leading = await runners.leader();
	const [behind] = runners.followers();
	if (behind === undefined) throw new Error("no follower");
	const bench: Bench = { ...runners, leading, behind, refused: 0, beforeStream: () => {} };
	runners.network.cut(behind.id, true);
	// The segments of this log have 16 KiB.
	for (let number = 0; number < 200; number++) {
		leading.runner.propose([{ kind: "command", payload: new Uint8Array(500) }], null);
		if (number % 10 === 0) await runners.clock.run(10);
	}
	await runners.clock.run(100);
	expect(leading.runner.commitIndex).toBeGreaterThan(200);
	bench.network.intercept = (sent) => {
		const message = decodeMessage(sent.bytes);
		if (message.type === "append-response" && message.from === behind.id) {
			if (!message.result.accepted) bench.refused++;
			else if (modeOf(leading, behind.id) === "probing") bench.beforeStream();
		}
		return sent.bytes;
	};
	return bench;
}

function modeOf(leading: RunnerMember, follower: NodeId): string | undefined {
	return leading.runner.core.view.progress.get(follower)?.state;
}

test("a follower catches up with entries that are read from disk, across the log's segments", async () => {
	const { clock, network, leading, behind } = await createBench();
	network.cut(behind.id, false);
	await clock.run(1_000);
	const { lastIndex } = leading.runner.core.view;
	expect(behind.runner.core.view.durableIndex).toBe(lastIndex);
	expect(behind.runner.commitIndex).toBe(leading.runner.commitIndex);
});

test("nothing overtakes entries that are still read from disk", async () => {
	const bench = await createBench();
	const { clock, network, leading, behind } = bench;
	let goOn = (): void => {};
	bench.beforeStream = () => {
		leading.disk.faults.hang = new Promise((resolve) => {
			goOn = () => {
				leading.disk.faults.hang = null;
				resolve();
			};
		});
	};
	network.cut(behind.id, false);
	while (modeOf(leading, behind.id) !== "replicating") await clock.run(1);
	const refusedBefore = bench.refused;
	// The newest entries are in memory; answered heartbeats find the stream silent, and ask behind it.
	leading.runner.propose([{ kind: "command", payload: new Uint8Array(10) }], null);
	await clock.run(250);
	expect(modeOf(leading, behind.id)).toBe("replicating");
	goOn();
	await clock.run(1_000);
	expect(bench.refused).toBe(refusedBefore);
	expect(behind.runner.core.view.durableIndex).toBe(leading.runner.core.view.lastIndex);
});

test("entries that cannot be read are not sent, and the follower is served later", async () => {
	const bench = await createBench();
	const { clock, network, leading, behind } = bench;
	let streamed = false;
	const read = leading.log.read.bind(leading.log);
	bench.beforeStream = () => {
		// As while the log is being compacted.
		Object.assign(leading.log, { read: () => Promise.reject(new EntryAbsentError("compacted")) });
		bench.beforeStream = () => {};
		streamed = true;
	};
	network.cut(behind.id, false);
	for (let turn = 0; turn < 1_000 && !streamed; turn++) await clock.run(1);
	// What was to be streamed never left: the follower is asked again where it is.
	expect(modeOf(leading, behind.id)).toBe("probing");
	Object.assign(leading.log, { read });
	await clock.run(1_000);
	expect(leading.failures).toEqual([]);
	expect(behind.runner.core.view.durableIndex).toBe(leading.runner.core.view.lastIndex);
});

test("a leader whose log is damaged where a follower needs it ends, and does not lead on", async () => {
	const { clock, network, leading, behind } = await createBench();
	const path = [...leading.disk.files().keys()].filter((name) => name.endsWith(".segment")).toSorted()[0];
	if (path === undefined) throw new Error("no segment");
	// Behind the header and what the follower has: inside the first of the long entries.
	leading.disk.flip(path, 2_000, 1);
	network.cut(behind.id, false);
	await clock.run(1_000);
	expect(leading.failures).toMatchObject([{ name: "LogCorruptionError" }]);
});

test("a leader whose disk does not give what a follower needs lets another one lead", async () => {
	const { clock, network, leading, behind } = await createBench();
	const { term } = leading.runner.state;
	leading.disk.faults.hang = new Promise(() => {});
	network.cut(behind.id, false);
	// Nothing is proposed: to the core the disk is idle.
	await clock.run(900);
	expect(leading.runner.state).toMatchObject({ role: "leader", term });
	await clock.run(3_000);
	expect(leading.runner.state.role).toBe("follower");
	expect(leading.failures).toEqual([]);
	expect(behind.runner.core.view.term).toBeGreaterThan(term);
});

test("a process that did not run for longer than an election timeout does not take that for silence", async () => {
	const runners = await createRunners({ size: 3 });
	const { clock, members } = runners;
	const before = await runners.leader();
	await clock.run(1_000);
	const { term } = before.runner.state;
	clock.sleep(600);
	await clock.run(1_000);
	expect(members.map(({ runner }) => runner.state.term)).toEqual([term, term, term]);
	expect(before.runner.state).toMatchObject({ role: "leader", established: true });
});
