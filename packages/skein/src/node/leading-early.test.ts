// Modes that answer before the commit: what is answered when, what SQLite holds, and what ends it.
import { expect, test } from "vitest";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { defaultConsensusSettings } from "../consensus/settings.ts";
import type { Database } from "../database/database.ts";
import { silentLogger } from "../world/logger.ts";
import { type AppliedIndex, createAppliedIndex } from "./applied-index.ts";
import type { ChangeRequest } from "./core-runner.ts";
import { createDiskWatch } from "./disk-watch.ts";
import { createFreshness } from "./freshness.ts";
import { createLeading, type Leading, type LeadingResult } from "./leading.ts";
import { createReadIndex } from "./read-index.ts";
import { defaultNodeSettings, type NodeSettings } from "./settings.ts";
import { insert, program } from "./testing/cluster.ts";
import type { DatabaseFile } from "./testing/memory-database.ts";
import { createRunners, type RunnerMember, type Runners } from "./testing/runners.ts";
import { cancel, type QueuedWrite } from "./write-queue.ts";
import { writeRequest } from "./write-request.ts";

interface Bench extends Runners {
	readonly member: RunnerMember;
	readonly file: DatabaseFile;
	readonly leading: Leading;
	readonly applied: AppliedIndex;
	/** What was answered, in order: the text that was inserted, and how. */
	readonly answers: string[];
	readonly submit: (
		text: string,
		acknowledgement: Acknowledgement,
		sql?: string,
		foreignKeys?: boolean,
	) => QueuedWrite;
	/** Steps until there is nothing to do. */
	readonly work: () => Promise<LeadingResult>;
}

const asynchronous: Acknowledgement = { mode: "async" };
const quorum: Acknowledgement = { mode: "quorum" };

async function createBench(
	size: number,
	wrap = (database: Database) => database,
	settings: Partial<NodeSettings> = {},
): Promise<Bench> {
	const runners = await createRunners({ size });
	const member = await runners.leader();
	await runners.clock.run(50);
	const { runner, log, file, listener } = member;
	const { clock, deadlines } = runners;
	const entries = await log.read(1, runner.commitIndex, Number.MAX_SAFE_INTEGER);
	await member.database.apply(
		entries.map(({ index, term, payload }) => ({
			position: { index, term },
			kind: "barrier",
			payload,
			configuration: null,
		})),
	);
	const common = {
		runner: () => runner,
		clock,
		deadlines,
		settings: { ...defaultNodeSettings, ...settings },
	};
	const applied = createAppliedIndex(file.content.applied);
	const freshness = createFreshness({ clock, applied });
	const readIndex = createReadIndex({
		...common,
		freshness,
		leasedIndex: () => null,
		leaderWaitMs: 1_000,
		maxQueued: 10,
	});
	const leading = createLeading({
		...common,
		self: member.id,
		database: wrap(member.database),
		applied,
		readIndex,
		logger: silentLogger,
		watch: createDiskWatch({ ...common, logger: silentLogger }),
		mustRunAlone: ({ interactive, foreignKeys }) => interactive || !foreignKeys,
		onAcknowledgement() {},
		wake() {},
		onFailure: (error) => member.failures.push(error),
	});
	listener.onRole = (state) => leading.onRole(state);
	listener.onCommit = (index) => leading.onCommit(index);
	listener.onAcknowledged = (index) => leading.onAcknowledged(index);
	listener.onAwaited = (waiter) => leading.onAwaited(waiter);
	listener.onReadReady = (readId, index) => readIndex.onReady(readId, index);
	await leading.enter(runner.state.term);
	const answers: string[] = [];
	let blocked: Promise<void> | null = null;
	return {
		...runners,
		member,
		file,
		leading,
		applied,
		answers,
		submit(text, acknowledgement, sql, foreignKeys = true) {
			const what = sql === undefined ? program(insert(text)) : program(sql);
			const write: QueuedWrite = {
				stream: "n1/1",
				request: writeRequest({
					stream: "n1/1",
					acknowledgement,
					program: what,
					foreignKeys,
					interactive: false,
					idempotencyKey: null,
					receivedAtMs: 0,
					wallTimeMs: 0,
					timeoutMs: 1_000,
				}),
				acknowledgement,
				inTransaction: false,
				snapshotIndex: null,
				answer: (answer) =>
					void answers.push(`${text} ${answer.type === "failed" ? answer.error.code : answer.type}`),
				cancelled: false,
				started: false,
			};
			leading.submit(write);
			return write;
		},
		async work() {
			for (;;) {
				// One step at a time, as its loop has it.
				if (blocked !== null) await blocked;
				blocked = null;
				let result: LeadingResult | null = null;
				const step = leading.step().then((ended) => {
					result = ended;
				});
				await clock.run(5);
				if (result === null) {
					blocked = step;
					return "worked";
				}
				await step;
				if (result === "idle" || result === "recover") return result;
			}
		},
	};
}

test("cut off from all others, async is answered and quorum is not; SQLite commits neither, and rolls both back", async () => {
	const { clock, network, member, file, leading, answers, submit, work } = await createBench(3);
	network.cut(member.id, true);
	submit("a", asynchronous);
	submit("b", asynchronous);
	await work();
	submit("c", asynchronous);
	await work();
	expect(answers).toEqual(["a done", "b done", "c done"]);
	submit("d", quorum);
	await work();
	expect(answers.length).toBe(3);
	expect(file.content.items).toEqual([]);
	await clock.run(2_000);
	expect(answers.at(-1)).toBe("d LEADERSHIP_LOST");
	await leading.leave("lost");
	expect(file.content.items).toEqual([]);
});

test("no batch begins behind one that must run alone, and that behind no other", async () => {
	const { clock, network, member, file, answers, submit, work } = await createBench(3);
	network.cut(member.id, true);
	submit("a", asynchronous, undefined, false);
	submit("b", asynchronous);
	await work();
	expect(answers).toEqual(["a done"]);
	network.cut(member.id, false);
	await clock.run(200);
	await work();
	expect(answers).toEqual(["a done", "b done"]);
	expect(file.content.items).toEqual(["a", "b"]);
	network.cut(member.id, true);
	submit("c", asynchronous);
	submit("d", asynchronous, undefined, false);
	await work();
	expect(answers.at(-1)).toBe("c done");
});

test("batches that were answered early are committed together once the log has committed them", async () => {
	const { clock, network, member, file, answers, submit, work, applied } = await createBench(3);
	network.cut(member.id, true);
	submit("a", asynchronous);
	await work();
	submit("b", asynchronous);
	await work();
	expect(applied.position.index).toBeLessThan(member.runner.core.view.lastIndex);
	network.cut(member.id, false);
	await clock.run(200);
	await work();
	expect(answers).toEqual(["a done", "b done"]);
	expect(file.content.items).toEqual(["a", "b"]);
	expect(applied.position.index).toBe(member.runner.core.view.lastIndex);
});

const addLearner: ChangeRequest = {
	changes: [{ change: "add", id: "n4", peer: "n4:1", as: "learner" }],
	force: false,
	dryRun: false,
};

test("a configuration that is committed before what is open is stored with it, and not before; reads do not wait", async () => {
	const { clock, network, member, file, answers, submit, work, applied } = await createBench(3);
	const { runner } = member;
	expect(runner.changeMembers(addLearner).type).toBe("change-accepted");
	await clock.run(100);
	const { configurationIndex } = runner.core.view;
	expect(runner.commitIndex).toBe(configurationIndex);
	network.cut(member.id, true);
	submit("a", asynchronous);
	await work();
	expect(answers).toEqual(["a done"]);
	// Nobody may see it before it is committed, and SQLite knows one commit only.
	expect(file.content.items).toEqual([]);
	expect(file.content.configuration?.index ?? 0).toBeLessThan(configurationIndex);
	expect(applied.reflected).toBe(configurationIndex);
	network.cut(member.id, false);
	await clock.run(200);
	await work();
	expect(file.content.items).toEqual(["a"]);
	expect(file.content.configuration?.index).toBe(configurationIndex);
	expect(file.content.applied.index).toBe(runner.core.view.lastIndex);
});

test("a configuration behind what is open is stored by itself, once that is committed", async () => {
	const { clock, network, member, file, submit, work } = await createBench(3);
	const { runner } = member;
	network.cut(member.id, true);
	submit("a", asynchronous);
	await work();
	expect(runner.changeMembers(addLearner).type).toBe("change-accepted");
	await work();
	expect(file.content.items).toEqual([]);
	network.cut(member.id, false);
	await clock.run(200);
	await work();
	expect(file.content.items).toEqual(["a"]);
	expect(file.content.configuration?.index).toBe(runner.core.view.configurationIndex);
	expect(file.content.applied.index).toBe(runner.core.view.lastIndex);
});

test("a leader that loses with a committed configuration in front of what is open keeps the file as it was", async () => {
	const { clock, network, member, file, leading, submit, work } = await createBench(3);
	member.runner.changeMembers(addLearner);
	await clock.run(100);
	network.cut(member.id, true);
	submit("a", asynchronous);
	await work();
	await clock.run(2_000);
	expect(leading.stillLeading()).toBe(false);
	await leading.leave("lost");
	expect(file.content.items).toEqual([]);
});

test("a configuration that another leader committed while SQLite's commit lasted is not stored: what came before it is missing here", async () => {
	const { clock, network, member, members, file, leading, answers, submit, work } = await createBench(3);
	const commit = Promise.withResolvers<void>();
	file.hanging = commit.promise;
	submit("a", quorum);
	await work();
	expect(answers).toEqual(["a done"]);
	const { lastIndex } = member.runner.core.view;
	member.runner.changeMembers(addLearner);
	await clock.run(100);
	// It waits for SQLite, to store the configuration.
	expect(await work()).toBe("worked");
	network.cut(member.id, true);
	await clock.run(3_000);
	const successor = members.find(({ id, runner }) => id !== member.id && runner.core.view.established);
	expect(
		successor?.runner.changeMembers({ ...addLearner, changes: [{ change: "remove", id: "n4" }] }).type,
	).toBe("change-accepted");
	network.cut(member.id, false);
	await clock.run(1_000);
	expect(leading.stillLeading()).toBe(false);
	expect(member.runner.commitIndex).toBeGreaterThan(lastIndex + 2);
	commit.resolve();
	file.hanging = null;
	await clock.run(10);
	expect(file.content.applied.index).toBe(lastIndex);
});

test("while something that was answered early is open, the connection is free for no checkpoint", async () => {
	const { clock, network, member, leading, submit, work } = await createBench(3);
	expect(await leading.isFree()).toBe(true);
	network.cut(member.id, true);
	submit("a", asynchronous);
	await work();
	expect(await leading.isFree()).toBe(false);
	network.cut(member.id, false);
	await clock.run(200);
	await work();
	expect(await leading.isFree()).toBe(true);
});

test("no batch begins behind others while somebody waits to read what is open, or behind what is old", async () => {
	const { clock, network, member, answers, submit, work, leading, applied } = await createBench(3);
	network.cut(member.id, true);
	submit("a", asynchronous);
	await work();
	const end = applied.whenReached(member.runner.core.view.lastIndex, () => {});
	expect(await work()).toBe("idle");
	end();
	submit("b", asynchronous);
	await work();
	expect(answers).toEqual(["a done", "b done"]);
	await clock.run(defaultNodeSettings.maxOpenMs);
	submit("c", asynchronous);
	await work();
	expect(answers).toEqual(["a done", "b done"]);
	expect(leading.stillLeading()).toBe(true);
	network.cut(member.id, false);
	await clock.run(100);
	await work();
	expect(answers).toEqual(["a done", "b done", "c done"]);
});

test("what changed nothing is told only when what it saw is committed", async () => {
	const { clock, network, member, answers, submit, work } = await createBench(3);
	network.cut(member.id, true);
	submit("a", asynchronous);
	await work();
	submit("look", asynchronous, "SELECT");
	submit("b", asynchronous);
	submit("look again", asynchronous, "SELECT");
	await work();
	expect(answers).toEqual(["a done", "b done"]);
	network.cut(member.id, false);
	await clock.run(300);
	expect(answers).toEqual(["a done", "b done", "look done", "look again done"]);
});

test("a mode that asks for more than the commit does is answered later, and holds up nobody", async () => {
	const bench = await createBench(3);
	const { clock, network, file, answers, submit, work } = bench;
	const [away] = bench.followers();
	network.cut(away?.id ?? "", true);
	submit("both", { mode: "semi-sync", followers: 2 });
	await work();
	submit("one", { mode: "semi-sync", followers: 1 });
	await work();
	submit("all", { mode: "semi-sync", followers: 3 });
	await work();
	expect(answers).toEqual(["one done", "all BAD_REQUEST"]);
	expect(file.content.items).toEqual(["both", "one"]);
	network.cut(away?.id ?? "", false);
	await clock.run(500);
	expect(answers.at(-1)).toBe("both done");
});

const both: Acknowledgement = { mode: "semi-sync", followers: 2 };
const one: Acknowledgement = { mode: "semi-sync", followers: 1 };

test("what nobody waits for any more is let go, and in nobody's way", async () => {
	const settings = { consensus: { ...defaultConsensusSettings, maxUnacknowledged: 2 } };
	const bench = await createBench(3, undefined, settings);
	const { network, member, answers, submit, work } = bench;
	network.cut(bench.followers()[0]?.id ?? "", true);
	const first = submit("1", both);
	await work();
	submit("2", both);
	await work();
	submit("too many", both);
	await work();
	// It can be met, whatever waits for more.
	submit("fewer", one);
	await work();
	expect(answers).toEqual(["too many OVERLOADED", "fewer done"]);
	cancel(first);
	expect(answers.at(-1)).toBe("1 TIMEOUT");
	expect(member.runner.core.view.unacknowledgedBy(both)).toBe(1);
	submit("3", both);
	await work();
	expect(member.runner.core.view.unacknowledgedBy(both)).toBe(2);
	network.cut(bench.followers()[0]?.id ?? "", false);
	await bench.clock.run(500);
	expect(answers.slice(3)).toEqual(["2 done", "3 done"]);
});

test("one that was cancelled before its result was ready is not held either", async () => {
	const bench = await createBench(3);
	bench.network.cut(bench.followers()[0]?.id ?? "", true);
	const write = bench.submit("1", both);
	const working = bench.leading.step();
	cancel(write);
	await bench.clock.run(50);
	await working;
	expect(bench.answers).toEqual(["1 TIMEOUT"]);
	expect(bench.member.runner.core.view.unacknowledgedBy(both)).toBe(0);
});

test("results that wait for followers are bounded by their bytes", async () => {
	const bench = await createBench(3, undefined, { maxHeldResultBytes: 1 });
	const { answers, submit, work } = bench;
	bench.network.cut(bench.followers()[0]?.id ?? "", true);
	const held = submit("one alone is held", both);
	submit("in its batch", both);
	await work();
	// It is in the log: nobody can say that it did not happen.
	expect(answers).toEqual(["in its batch OVERLOADED"]);
	submit("behind it", both);
	submit("quorum", quorum);
	await work();
	expect(answers.slice(1)).toEqual(["behind it OVERLOADED", "quorum done"]);
	expect(bench.file.content.items).toEqual(["one alone is held", "in its batch", "quorum"]);
	cancel(held);
	submit("again", both);
	await work();
	expect(bench.file.content.items.at(-1)).toBe("again");
});

const strict: Acknowledgement = { mode: "sync", strict: true };
const nothing = "UPDATE ledger SET v = v WHERE v = 'nothing'";

test("an answer that changed nothing is let go with its client, and in nobody's way", async () => {
	const bench = await createBench(3);
	const { member, answers, submit, work } = bench;
	bench.network.cut(bench.followers()[0]?.id ?? "", true);
	submit("write", quorum);
	await work();
	const [first, second] = [submit("1", strict, nothing), submit("2", strict, nothing)];
	await work();
	expect(answers).toEqual(["write done"]);
	expect(member.runner.core.view.unacknowledgedBy(strict)).toBe(1);
	cancel(first);
	expect([answers.at(-1), member.runner.core.view.unacknowledgedBy(strict)]).toEqual(["1 TIMEOUT", 1]);
	cancel(second);
	expect([answers.at(-1), member.runner.core.view.unacknowledgedBy(strict)]).toEqual(["2 TIMEOUT", 0]);
	// Its client is gone before anybody waits.
	const third = submit("3", strict, nothing);
	await bench.leading.step();
	cancel(third);
	await work();
	expect([answers.at(-1), member.runner.core.view.unacknowledgedBy(strict)]).toEqual(["3 TIMEOUT", 0]);
});

test("answers that changed nothing are bounded by their number", async () => {
	const settings = { consensus: { ...defaultConsensusSettings, maxUnacknowledged: 1 } };
	const bench = await createBench(3, undefined, settings);
	const { member, answers, submit, work } = bench;
	bench.network.cut(bench.followers()[0]?.id ?? "", true);
	submit("write", quorum);
	await work();
	submit("waits", strict, nothing);
	await bench.leading.step();
	// Nobody waits yet, so it is not refused before it runs.
	submit("too many", strict, nothing);
	await work();
	expect(answers).toEqual(["write done", "too many OVERLOADED"]);
	expect(member.runner.core.view.unacknowledgedBy(strict)).toBe(1);
	submit("at once", strict);
	submit("in nobody's way", quorum);
	await work();
	expect(answers.slice(2)).toEqual(["at once OVERLOADED", "in nobody's way done"]);
	expect(bench.file.content.items).toEqual(["write", "in nobody's way"]);
});

test("answers that changed nothing are bounded by their bytes", async () => {
	const bench = await createBench(3, undefined, { maxHeldResultBytes: 1 });
	const { member, answers, submit, work } = bench;
	bench.network.cut(bench.followers()[0]?.id ?? "", true);
	submit("write", quorum);
	await work();
	submit("one alone is held", strict, nothing);
	submit("in its batch", strict, nothing);
	await bench.leading.step();
	submit("behind it", strict, nothing);
	await work();
	expect(answers).toEqual(["write done", "in its batch OVERLOADED", "behind it OVERLOADED"]);
	expect(member.runner.core.view.unacknowledgedBy(strict)).toBe(1);
});

test("in a batch with others what changed nothing waits as they do", async () => {
	const bench = await createBench(3);
	const away = bench.followers()[0]?.id ?? "";
	bench.network.cut(away, true);
	submitBoth(bench);
	await bench.work();
	expect(bench.answers).toEqual([]);
	bench.network.cut(away, false);
	await bench.clock.run(500);
	expect(bench.answers).toEqual(["write done", "nothing done"]);
});

function submitBoth({ submit }: Bench): void {
	submit("write", both);
	submit("nothing", both, nothing);
}

test("a writer that fails behind an open transaction takes nothing that was answered with it", async () => {
	let failing = false;
	const failure = Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR" });
	const { clock, network, member, file, answers, submit, work, leading } = await createBench(
		3,
		(database) => ({
			...database,
			execute: (requests, behind) => (failing ? Promise.reject(failure) : database.execute(requests, behind)),
		}),
	);
	network.cut(member.id, true);
	submit("a", asynchronous);
	await work();
	failing = true;
	submit("b", asynchronous);
	expect(await work()).toBe("recover");
	expect(answers).toEqual(["a done", "b SQLITE_IOERR"]);
	await leading.leave("lost");
	network.cut(member.id, false);
	await clock.run(200);
	// It is in the log, and comes from there.
	expect(file.content.items).toEqual([]);
	expect(member.runner.commitIndex).toBe(member.runner.core.view.lastIndex);
});
