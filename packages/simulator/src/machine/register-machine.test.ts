import { expect, test } from "vitest";
import { initialConfiguration } from "../../../skein/src/consensus/configuration.ts";
import type { WriteRequest } from "../../../skein/src/database/database.ts";
import { encodeSettingChange } from "../../../skein/src/database/setting-change.ts";
import { createMemoryDisk } from "../../../skein/src/world/testing/memory-disk.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler } from "../engine/scheduler.ts";
import type { Step } from "../history/history.ts";
import {
	type Change,
	decodeContent,
	digestOf,
	encodeChanges,
	encodeContent,
	notedIn,
} from "./register-content.ts";
import { openRegisterDatabase } from "./register-database.ts";
import { checkpointOf, createRegisterFile, losePower } from "./register-file.ts";
import { createRegisterWriter } from "./register-writer.ts";
import { programOf, readStatement, statement, statementOf } from "./statements.ts";

const settings = { payloads: "group", maxStoredOutcomes: 3, storedOutcomeAgeMs: 1_000 } as const;

function request(
	steps: readonly Step[],
	idempotencyKey: string | null = null,
	receivedAtMs = 0,
): WriteRequest {
	const program = programOf(steps.map(statementOf));
	return {
		program,
		foreignKeys: true,
		interactive: false,
		idempotencyKey,
		note: null,
		receivedAtMs,
		timeoutMs: 1_000,
	};
}

const write = (key: string, value: string | null): Step => ({ kind: "write", key, value });

test("a leader's payload leaves the same on a follower, and the digest says so", () => {
	const files = [createRegisterFile(), createRegisterFile()] as const;
	const leader = createRegisterWriter(files[0], settings);
	const follower = createRegisterWriter(files[1], settings);
	const chance = createChance(1);
	leader.prepareToLead();
	for (let index = 1; index <= 200; index++) {
		const key = `k${chance.below(4)}`;
		const step = chance.pick<Step>([
			write(key, `v${index}`),
			write(key, null),
			{ kind: "append", key, value: `a${index}` },
			{ kind: "compare-and-set", key, expected: files[0].current.registers.get(key) ?? null, value: "c" },
		]);
		const outcomes = leader.execute([
			request([step], chance.happens(0.5) ? `key${index}` : null, index * 10),
			request([write("other", String(index))]),
		]);
		expect(outcomes[0]?.payload).toBe(null);
		const payload = outcomes[1]?.payload;
		if (payload === undefined || payload === null) throw new Error("no payload");
		const position = { term: 1, index };
		leader.commit(position);
		follower.apply([{ position, kind: "command", payload, configuration: null }]);
		expect(digestOf(files[0].current)).toBe(digestOf(files[1].current));
		expect(files[0].current.outcomes.size).toBeLessThanOrEqual(3);
	}
	expect(files[1].current.registers).toEqual(files[0].current.registers);
	const before = digestOf(files[0].current);
	leader.execute([request([write("other", "later")])]);
	leader.commit({ term: 1, index: 201 });
	expect(digestOf(files[0].current)).not.toBe(before);
});

test("the digest is of all that is held: registers, stored outcomes with their times, and the configuration", () => {
	const position = { term: 1, index: 1 };
	const digestAfter = (change: Change | null, voters: readonly string[] | null = null): string => {
		const file = createRegisterFile();
		const members = (voters ?? []).map((id) => ({ id, peer: `${id}:1` }));
		const configuration = voters === null ? null : initialConfiguration(members);
		const payload = change === null ? new Uint8Array() : encodeChanges([change], null);
		const kind = change === null ? "configuration" : "command";
		createRegisterWriter(file, settings).apply([{ position, kind, payload, configuration }]);
		const digest = digestOf(file.current);
		expect(digestOf(decodeContent(encodeContent(file.current)))).toBe(digest);
		checkpointOf(file, 0);
		expect(digestOf(file.durable)).toBe(digest);
		return digest;
	};
	const stored = (atMs: number, changes: number, number = 1): Change => {
		const results = [{ columns: [], rows: [], changes, lastInsertRowid: null }];
		const outcome = { results, errors: [null], autocommit: true, foreignKeys: true };
		return { type: "outcome", key: "key", stored: { number, atMs, outcome } };
	};
	const digests = [
		digestAfter(null),
		digestAfter({ type: "register", key: "key", value: "1" }),
		digestAfter(stored(5, 1)),
		digestAfter(stored(6, 1)),
		digestAfter(stored(5, 0)),
		digestAfter(stored(5, 1, 2)),
		digestAfter(null, ["n1"]),
		digestAfter(null, ["n1", "n2"]),
	];
	expect(new Set(digests).size).toBe(digests.length);
});

test("what leaves the state leaves its digest", () => {
	const file = createRegisterFile();
	const writer = createRegisterWriter(file, { ...settings, maxStoredOutcomes: 1 });
	const configure = (index: number, id: string): void => {
		const configuration = initialConfiguration([{ id, peer: `${id}:1` }]);
		const position = { term: 1, index };
		writer.apply([{ position, kind: "configuration", payload: new Uint8Array(), configuration }]);
	};
	configure(1, "n1");
	configure(2, "n2");
	writer.prepareToLead();
	for (const index of [3, 4, 5]) {
		writer.execute([request([write("a", String(index))], `key${index}`, index)]);
		writer.commit({ term: 1, index });
	}
	expect([...file.current.outcomes.keys()]).toEqual(["key5"]);
	// Made anew from what is held, nothing of what was held before is in it.
	expect(digestOf(decodeContent(encodeContent(file.current)))).toBe(digestOf(file.current));
});

test("what a key has done is done once, whatever was rolled back before", () => {
	const file = createRegisterFile();
	const writer = createRegisterWriter(file, settings);
	writer.prepareToLead();
	const append = request([{ kind: "append", key: "list", value: "a" }], "once");
	writer.execute([append]);
	writer.rollback();
	expect(writer.execute([append, append]).map(({ replayed }) => replayed)).toEqual([false, true]);
	writer.commit({ term: 1, index: 1 });
	expect(writer.execute([append])[0]?.replayed).toBe(true);
	writer.rollback();
	expect(file.current.registers.get("list")).toBe("a;");
});

test("outcomes age by what leaders measure, whatever the clock of a new one shows", () => {
	const file = createRegisterFile();
	const writer = createRegisterWriter(file, { ...settings, maxStoredOutcomes: 100 });
	let index = 0;
	const store = (key: string, receivedAtMs: number): boolean | undefined => {
		const outcome = writer.execute([request([write("a", key)], key, receivedAtMs)])[0];
		if (outcome?.payload === null) writer.rollback();
		else writer.commit({ term: 1, index: ++index });
		return outcome?.replayed;
	};
	writer.prepareToLead();
	store("first", 5_000);
	store("second", 5_900);
	writer.prepareToLead();
	store("ahead", 90_000_000);
	expect(store("first", 90_000_050)).toBe(true);
	store("late", 90_000_101);
	expect([...file.current.outcomes.keys()]).toEqual(["second", "ahead", "late"]);
});

test("an interactive transaction is taken back alone, and COMMIT gives the whole payload", () => {
	const file = createRegisterFile();
	const writer = createRegisterWriter(file, settings);
	writer.prepareToLead();
	const part = (...statements: ReturnType<typeof statement>[]): WriteRequest => ({
		...request([]),
		program: programOf(statements),
		interactive: true,
	});
	const begun = writer.execute([part(statement("BEGIN IMMEDIATE"), statementOf(write("a", "1")))])[0];
	expect(begun?.outcome.autocommit).toBe(false);
	expect(begun?.payload).toBe(null);
	expect(writer.execute([part(readStatement("a"))])[0]?.outcome.results[0]?.rows).toEqual([["1"]]);
	writer.abandonInteractive();
	writer.rollback();
	writer.execute([part(statement("BEGIN IMMEDIATE"))]);
	writer.execute([part(statementOf(write("a", "2")))]);
	const ended = writer.execute([part(statement("COMMIT"))])[0];
	expect(ended?.outcome.autocommit).toBe(true);
	expect(ended?.payload).not.toBe(null);
	writer.commit({ term: 1, index: 1 });
	expect(file.current.registers.get("a")).toBe("2");
});

test("a power loss keeps any state from the last checkpoint to the last commit", () => {
	const seen = new Set<number>();
	for (let seed = 0; seed < 60; seed++) {
		const file = createRegisterFile();
		const writer = createRegisterWriter(file, settings);
		writer.prepareToLead();
		for (let index = 1; index <= 6; index++) {
			writer.execute([request([write("a", String(index))])]);
			writer.commit({ term: 1, index });
			if (index === 3) checkpointOf(file, 1);
		}
		losePower(file, createChance(seed));
		seen.add(file.current.applied.index);
		expect(file.current.registers.get("a")).toBe(String(file.current.applied.index));
	}
	expect([...seen].toSorted((one, other) => one - other)).toEqual([2, 3, 4, 5, 6]);
});

test("the database does its work in time, and a snapshot of it is the same", async () => {
	const scheduler = createScheduler(() => new Promise((resolve) => setImmediate(resolve)));
	const chance = createChance(5);
	const files = [createRegisterFile(), createRegisterFile()] as const;
	const disk = createMemoryDisk(() => chance.next());
	const [one, other] = files.map((file) =>
		openRegisterDatabase({
			file,
			after: (delayMs, callback) => void scheduler.after(delayMs, callback),
			chance,
			disk,
			device: null,
			settings: { ...settings, executeMs: 0.1, readMs: 0.1 },
		}),
	);
	if (one === undefined || other === undefined) throw new Error("two databases");
	const members = { members: [], voters: [], outgoingVoters: [], learners: [], joining: [], retired: [] };
	const work = (async () => {
		const empty = new Uint8Array();
		await one.apply([
			{ position: { term: 1, index: 1 }, kind: "configuration", payload: empty, configuration: members },
		]);
		await one.prepareToLead();
		await one.execute([request([write("a", "1")])]);
		const committed = one.commit({ term: 1, index: 2 });
		one.hurry();
		await committed;
		const snapshot = await one.createSnapshot();
		const state = await other.installSnapshot(snapshot.path, snapshot.sha256);
		expect(state.applied).toEqual({ term: 1, index: 2 });
		return (await other.read(programOf([readStatement("a")]), { timeoutMs: 1 })).outcome;
	})();
	await scheduler.runUntil(100);
	expect((await work).results[0]?.rows).toEqual([["1"]]);
	expect(digestOf(files[0].current)).toBe(digestOf(files[1].current));
});

test("commits and checkpoints wait while the disk hangs, reads do not, and a write that fails fails them", async () => {
	const scheduler = createScheduler(() => new Promise((resolve) => setImmediate(resolve)));
	const chance = createChance(6);
	const file = createRegisterFile();
	const wakeCalls: (() => void)[] = [];
	let fault: "none" | "hangs" | "fails" = "none";
	const database = openRegisterDatabase({
		file,
		after: (delayMs, callback) => void scheduler.after(delayMs, callback),
		chance,
		disk: createMemoryDisk(() => chance.next()),
		device: {
			slowness: 1,
			whenHealed() {},
			get whenAwake() {
				return fault === "hangs" ? (call: () => void) => void wakeCalls.push(call) : null;
			},
			failIfTold() {
				if (fault === "fails") throw new Error("EIO");
			},
			checkpointBegins() {
				if (fault === "none") fault = "hangs";
			},
		},
		settings: { ...settings, executeMs: 0.1, readMs: 0.1 },
	});
	const heard: string[] = [];
	const note = (name: string, work: Promise<unknown>): void => {
		work.then(
			() => heard.push(name),
			(error: unknown) => heard.push(`${name}: ${String(error)}`),
		);
	};
	note("led", database.prepareToLead());
	note("executed", database.execute([request([write("a", "1")])]));
	await scheduler.runUntil(100);
	fault = "hangs";
	note("committed", database.commit({ term: 1, index: 1 }));
	database.hurry();
	note("executed behind it", database.execute([request([write("a", "2")])]));
	note("read", database.read(programOf([readStatement("a")]), { timeoutMs: 1 }));
	await scheduler.runUntil(60_000);
	expect(heard).toEqual(["led", "executed", "read"]);
	fault = "none";
	for (const call of wakeCalls.splice(0)) call();
	await scheduler.runUntil(60_100);
	expect(heard.slice(3)).toEqual(["committed", "executed behind it"]);
	note("rolled back", database.rollback());
	await scheduler.runUntil(60_110);
	note("a checkpoint", database.checkpoint());
	await scheduler.runUntil(60_190);
	expect([heard.at(-1), file.durable.applied.index]).toEqual(["rolled back", 0]);
	fault = "none";
	for (const call of wakeCalls.splice(0)) call();
	await scheduler.runUntil(61_000);
	expect([heard.at(-1), file.durable.applied.index]).toEqual(["a checkpoint", 1]);
	note("executed again", database.execute([request([write("a", "2")])]));
	await scheduler.runUntil(61_100);
	fault = "fails";
	note("committed again", database.commit({ term: 1, index: 2 }));
	note("a checkpoint too early", database.checkpoint());
	note("rolled back again", database.rollback());
	note("another checkpoint", database.checkpoint());
	await scheduler.runUntil(61_200);
	expect(heard.slice(-4)).toEqual([
		"committed again: Error: EIO",
		"a checkpoint too early: Error: a checkpoint inside a transaction",
		"rolled back again",
		"another checkpoint: Error: EIO",
	]);
});

test("a choice of the mode among what is cut is nobody's transaction, and no reason to read no further", () => {
	const value = { mode: "async" } as const;
	expect(notedIn(encodeSettingChange({ name: "acknowledgement", value }))).toBe(null);
	expect(notedIn(encodeChanges([], null))).toBe(null);
});
