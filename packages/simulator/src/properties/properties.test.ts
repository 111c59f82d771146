/** Each property by a history that keeps it and by those that break it. */
import { expect, test } from "vitest";
import { createScene, type Scene } from "./testing/scene.ts";

function scene(play: (scene: Scene) => void): string | null {
	const played = createScene();
	for (const node of ["a", "b", "c"]) played.start(node);
	play(played);
	return played.broken;
}

/** a leads term 1 and has 1 and 2 on all three disks, committed. */
function committed(s: Scene): void {
	for (const node of ["a", "b", "c"]) s.append(node, ["1/1", "2/1"]);
	s.look("a", { role: "leader", term: 1, commitIndex: 0 });
	s.look("a", { role: "leader", term: 1, commitIndex: 2 });
	s.look("b", { term: 1, commitIndex: 1 });
}

test("a history that keeps everything", () => {
	expect(
		scene((s) => {
			s.promise("a", 1, "a");
			s.send("a", "b", 1, { type: "vote-request" });
			s.promise("b", 1, "a");
			s.send("b", "a", 1, { type: "vote-response", granted: true });
			committed(s);
			s.send("b", "a", 1, { type: "append-response", result: { accepted: true, matchIndex: 2 } });
			s.apply("a", "2/1", "x");
			s.look("b", { term: 1, commitIndex: 2 });
			s.apply("b", "2/1", "x");
			s.append("c", ["3/1"]);
			s.append("a", ["3/2"], { durable: false });
			s.append("c", ["3/2"], { cutFrom: 3 });
			s.look("c", { term: 2, commitIndex: 2 });
		}),
	).toBe(null);
});

test("one leader a term", () => {
	const name = "one leader a term";
	const both = (s: Scene): void => {
		s.look("a", { role: "leader", term: 1 });
		s.look("b", { role: "leader", term: 1 });
	};
	expect(scene(both)).toBe(name);
	expect(
		scene((s) => {
			s.look("a", { role: "leader", term: 1 });
			s.send("b", "c", 1, { type: "heartbeat-request" });
		}),
	).toBe(name);
	expect(
		scene((s) => {
			s.look("a", { role: "leader", term: 1 });
			s.show({ type: "append-sent", node: "b", term: 1 });
		}),
	).toBe(name);
	expect(
		scene((s) => {
			s.look("a", { role: "leader", term: 1 });
			s.start("a");
			s.look("a", { role: "leader", term: 1 });
		}),
	).toBe(name);
});

test("promises", () => {
	const name = "promises";
	const grants = { type: "vote-response", granted: true };
	expect(scene((s) => s.send("b", "a", 1, grants))).toBe(name);
	expect(
		scene((s) => {
			s.promise("b", 1, "a", false);
			s.send("b", "a", 1, grants);
		}),
	).toBe(name);
	expect(
		scene((s) => {
			s.promise("b", 2, "a");
			s.promise("b", 1, "a");
		}),
	).toBe(name);
	expect(
		scene((s) => {
			s.promise("b", 2, "a");
			s.promise("b", 2, "c");
		}),
	).toBe(name);
	// Forgotten by a restart.
	expect(
		scene((s) => {
			s.promise("b", 2, "a");
			s.start("b", { term: 2 });
		}),
	).toBe(name);
	expect(
		scene((s) => {
			s.promise("b", 2, "a", false);
			s.start("b", { term: 2, votedFor: "a" });
			s.promise("b", 3, "c", false);
			s.start("b", { term: 2, votedFor: "a" });
		}),
	).toBe(null);
	expect(
		scene((s) => {
			s.promise("a", 1, "a", false);
			s.send("a", "b", 1, { type: "vote-request" });
		}),
	).toBe(name);
	expect(
		scene((s) => {
			s.append("b", ["1/1"]);
			s.send("b", "a", 2, { type: "append-response", result: { accepted: true, matchIndex: 1 } });
		}),
	).toBe(name);
});

test("acknowledgements", () => {
	const accept = (matchIndex: number): object => ({
		type: "append-response",
		result: { accepted: true, matchIndex },
	});
	expect(
		scene((s) => {
			s.promise("b", 1, null);
			s.append("b", ["1/1"], { durable: false });
			s.send("b", "a", 1, accept(1));
		}),
	).toBe("acknowledgements");
	expect(
		scene((s) => {
			s.promise("b", 2, null);
			s.append("b", ["1/1"]);
			s.append("a", ["1/2"]);
			s.look("a", { role: "leader", term: 2 });
			s.send("b", "a", 2, accept(1));
		}),
	).toBe("acknowledgements");
	// A snapshot lets the log be compacted up to an entry whose replacement is still on its way to the disk.
	expect(
		scene((s) => {
			s.append("b", ["1/1", "2/1"]);
			s.promise("b", 2, null);
			s.append("a", ["1/1", "2/2"]);
			s.look("a", { role: "leader", term: 2 });
			s.append("b", ["2/2"], { cutFrom: 2, durable: false });
			s.apply("b", "2/2");
			s.show({ type: "database-durable", node: "b", index: 2 });
			s.show({ type: "log-compacted", node: "b", index: 2 });
			s.durable("b");
			s.send("b", "a", 2, accept(2));
		}),
	).toBe(null);
});

/**
 * b has an old log, longer than the snapshot that it installed. The log's reset finds the disk full, or waits
 * behind what did: until there is room, what the database has counts, and a restart would believe it too.
 */
test("a log that a snapshot overtook, on a full disk", () => {
	const acknowledges = (how: "refused" | "waits" | "not reset", base = "2/2"): string | null =>
		scene((s) => {
			for (const node of ["a", "c"]) s.append(node, ["1/1", "2/2", "3/2"]);
			s.append("b", ["1/1", "2/1", "3/1"]);
			s.promise("b", 2, null);
			s.look("a", { role: "leader", term: 2, commitIndex: 0 });
			s.look("a", { role: "leader", term: 2, commitIndex: 3 });
			s.append("b", ["4/1"], { durable: false });
			s.refuse("b");
			s.apply("b", base);
			if (how === "refused") {
				s.reset("b", base, false);
				s.refuse("b");
			}
			if (how === "waits") s.resetWaits("b", base);
			s.look("b", { term: 2, commitIndex: 2 });
			s.send("b", "a", 2, { type: "append-response", result: { accepted: true, matchIndex: 2 } });
		});
	expect(acknowledges("refused")).toBe(null);
	expect(acknowledges("waits")).toBe(null);
	// The core knows nothing of the snapshot: it acknowledges what its log has there.
	expect(acknowledges("not reset")).not.toBe(null);
	expect(acknowledges("waits", "2/1")).not.toBe(null);
});

test("a log that a snapshot overtook, and whose compaction is allowed up to there", () => {
	const comesBackWith = (log: readonly string[], how: "pending" | "refused"): string | null =>
		scene((s) => {
			s.append("b", ["1/1", "2/1", "3/1", "4/1"]);
			s.append("b", ["3/2", "4/2", "5/2"], { cutFrom: 3, durable: false });
			if (how === "refused") s.refuse("b");
			s.apply("b", "5/2");
			s.show({ type: "database-durable", node: "b", index: 5 });
			s.show({ type: "log-compacted", node: "b", index: 5 });
			s.start("b", { log });
		});
	for (const how of ["pending", "refused"] as const) {
		// Nothing of the cut is on disk, half of it is, all is.
		for (const log of [
			["1/1", "2/1", "3/1", "4/1"],
			["1/1", "2/1"],
			["1/1", "2/1", "3/2", "4/2", "5/2"],
		])
			expect([log, comesBackWith(log, how)]).toEqual([log, null]);
		expect(comesBackWith(["1/1"], how)).toBe("recovered log");
		expect(comesBackWith(["1/1", "2/1", "3/1", "4/3"], how)).toBe("recovered log");
	}
});

test("leader append-only", () => {
	const leader = (then: (s: Scene) => void): string | null =>
		scene((s) => {
			s.append("a", ["1/1", "2/1"]);
			s.look("a", { role: "leader", term: 1 });
			then(s);
		});
	const still = { role: "leader", term: 1 } as const;
	expect(
		leader((s) => {
			s.append("a", ["2/1"], { cutFrom: 2 });
			s.look("a", still);
		}),
	).toBe("leader append-only");
	expect(
		leader((s) => {
			s.append("a", ["3/2"]);
			s.look("a", still);
		}),
	).toBe("leader append-only");
	expect(
		leader((s) => {
			s.append("a", ["2/2"], { cutFrom: 2 });
			s.look("a", { term: 2 });
		}),
	).toBe(null);
});

test("log matching", () => {
	const name = "log matching";
	expect(
		scene((s) => {
			s.append("a", ["1/1/x"]);
			s.append("b", ["1/1/y"]);
		}),
	).toBe(name);
	expect(
		scene((s) => {
			s.append("a", ["1/1", "2/2"]);
			s.append("b", ["1/2", "2/2"]);
		}),
	).toBe(name);
	expect(scene((s) => s.append("a", ["1/2", "2/1"]))).toBe(name);
	// Across a snapshot: the base stands for what is before it.
	const across = (payload: string): string | null =>
		scene((s) => {
			committed(s);
			s.append("a", ["3/1/x"]);
			s.apply("b", "2/1");
			s.reset("b", "2/1");
			s.append("b", [`3/1/${payload}`]);
		});
	expect(across("x")).toBe(null);
	expect(across("y")).toBe(name);
	// A snapshot of an entry that nobody had, at a reset and at a start.
	expect(
		scene((s) => {
			committed(s);
			s.reset("b", "2/2");
		}),
	).toBe(name);
	expect(scene((s) => s.start("b", { base: "2/2" }))).toBe(name);
});

test("recovered log", () => {
	const name = "recovered log";
	const comesBackWith = (log: readonly string[]): string | null =>
		scene((s) => {
			s.append("b", ["1/1", "2/1"]);
			s.append("b", ["3/1"], { durable: false });
			s.start("b", { log });
		});
	expect(comesBackWith(["1/1", "2/1"])).toBe(null);
	expect(comesBackWith(["1/1", "2/1", "3/1"])).toBe(null);
	expect(comesBackWith(["1/1"])).toBe(name);
	expect(comesBackWith(["1/1", "2/2"])).toBe(name);
	expect(comesBackWith(["1/1", "2/1", "3/2"])).toBe(name);
	expect(
		scene((s) => {
			s.append("b", ["1/1", "2/1"]);
			s.append("b", ["2/2"], { cutFrom: 2, durable: false });
			s.start("b", { log: ["1/1"] });
		}),
	).toBe(null);
});

test("leader completeness", () => {
	const name = "leader completeness";
	const elected = (term: number): string | null =>
		scene((s) => {
			s.append("a", ["1/2", "2/2"]);
			s.append("b", ["1/2", "2/2"]);
			s.append("c", ["1/2"]);
			s.look("a", { role: "leader", term: 2, commitIndex: 0 });
			s.look("a", { role: "leader", term: 2, commitIndex: 2 });
			s.look("c", { role: "leader", term });
		});
	expect(elected(3)).toBe(name);
	// By votes that were long on their way: it will commit nothing.
	expect(elected(1)).toBe(null);
});

test("commit on a durable majority", () => {
	const name = "commit on a durable majority";
	const commits = (prepare: (s: Scene) => void, term = 1): string | null =>
		scene((s) => {
			s.append("a", ["1/1"]);
			prepare(s);
			s.look("a", { role: "leader", term, commitIndex: 0 });
			s.look("a", { role: "leader", term, commitIndex: 1 });
		});
	expect(commits(() => {})).toBe(name);
	expect(commits((s) => s.append("b", ["1/1"], { durable: false }))).toBe(name);
	expect(commits((s) => s.append("b", ["1/1"]))).toBe(null);
	// Figure 8: an entry of an earlier term, by counting.
	expect(commits((s) => s.append("b", ["1/1"]), 2)).toBe(name);
	// By a snapshot that it had asked for before it was elected: others had committed that.
	const bySnapshot = scene((s) => {
		for (const node of ["a", "b"]) s.append(node, ["1/1"]);
		s.look("a", { role: "leader", term: 2, commitIndex: 0 });
		s.apply("a", "1/1");
		s.look("a", { role: "leader", term: 2, commitIndex: 1 });
	});
	expect(bySnapshot).toBe(null);
	// By a snapshot of what one member only had on its disk, and both have applied.
	const byBase = (holders: readonly string[]): string | null =>
		scene((s) => {
			for (const node of holders) s.append(node, ["1/1"]);
			s.apply("a", "1/1");
			s.apply("b", "1/1");
			s.resetWaits("b", "1/1");
			s.look("b", { term: 1, commitIndex: 1 });
		});
	expect(byBase(["a"])).toBe(name);
	expect(byBase(["a", "c"])).toBe(null);
	const alone = createScene(["a"]);
	alone.start("a");
	alone.append("a", ["1/1"], { durable: false });
	alone.look("a", { role: "leader", term: 1, commitIndex: 0 });
	alone.look("a", { role: "leader", term: 1, commitIndex: 1 });
	expect(alone.broken).toBe(name);
});

test("committed never changes", () => {
	const name = "committed never changes";
	expect(
		scene((s) => {
			committed(s);
			s.append("c", ["2/2"], { cutFrom: 2 });
		}),
	).toBe(name);
	expect(
		scene((s) => {
			committed(s);
			s.start("c", { log: [] });
		}),
	).not.toBe(null);
	// c has an entry that a committed in term 3, and cuts it for a leader of term 2 that it heard late: nobody
	// counted on c. In term 3 it must not.
	const cutsIn = (term: number): string | null =>
		scene((s) => {
			for (const node of ["a", "b"]) s.append(node, ["1/1", "2/1", "3/3"]);
			s.append("c", ["1/1", "2/1"]);
			s.look("a", { role: "leader", term: 3, commitIndex: 0 });
			s.look("a", { role: "leader", term: 3, commitIndex: 3 });
			s.promise("c", term, null);
			s.append("c", ["2/2"], { cutFrom: 2 });
		});
	expect(cutsIn(2)).toBe(null);
	expect(cutsIn(3)).toBe(name);
	// A snapshot of what nobody knew to be committed.
	expect(
		scene((s) => {
			committed(s);
			for (const node of ["a", "b"]) s.append(node, ["3/1"]);
			s.reset("c", "3/1");
		}),
	).toBe(name);
	const other = createScene();
	for (const node of ["a", "b", "c"]) other.start(node);
	other.append("a", ["1/1"]);
	other.append("b", ["1/1"]);
	other.append("c", ["1/2"]);
	other.look("a", { role: "leader", term: 1, commitIndex: 0 });
	other.look("a", { role: "leader", term: 1, commitIndex: 1 });
	other.look("c", { term: 2, commitIndex: 1 });
	expect(other.broken).toBe(name);
});

test("equal applied index, equal state", () => {
	expect(
		scene((s) => {
			committed(s);
			s.apply("a", "2/1", "x");
			s.apply("b", "2/1", "y");
		}),
	).toBe("equal applied index, equal state");
});

test("committed entries fit", () => {
	expect(
		scene((s) => {
			committed(s);
			s.apply("a", "2/1", "x");
			s.refuseToApply("b", "2/1");
		}),
	).toBe("committed entries fit");
});

test("orderings", () => {
	const name = "orderings";
	expect(
		scene((s) => {
			committed(s);
			s.apply("c", "2/1");
			s.look("c", { term: 1, commitIndex: 1 });
		}),
	).toBe(name);
	expect(scene((s) => s.show({ type: "log-compacted", node: "a", index: 0 }))).toBe(null);
	// The log is cut up to 2 by a member that has applied 2.
	const compacts = (durable: number | null): string | null =>
		scene((s) => {
			committed(s);
			s.apply("a", "2/1");
			if (durable !== null) s.show({ type: "database-durable", node: "a", index: durable });
			s.show({ type: "log-compacted", node: "a", index: 2 });
		});
	expect(compacts(2)).toBe(null);
	expect(compacts(1)).toBe(name);
	expect(compacts(null)).toBe(name);
	expect(compacts(3)).toBe(name);
	// A snapshot of 2, which holds a commit of which nobody heard yet, or one that nobody asked for.
	const makesSnapshot = (asked: number): string | null =>
		scene((s) => {
			committed(s);
			s.show({ type: "applying", node: "a", position: { index: asked, term: 1 } });
			s.apply("a", "2/1");
			s.show({ type: "snapshot", node: "a", position: { index: 2, term: 1 }, configurationIndex: 0 });
		});
	expect(makesSnapshot(2)).toBe(null);
	expect(makesSnapshot(1)).toBe(name);
	// It is asked for what is not committed.
	expect(
		scene((s) => {
			committed(s);
			s.show({ type: "applying", node: "b", position: { index: 2, term: 1 } });
			s.look("b", { term: 1, commitIndex: 1 });
		}),
	).toBe(name);
	expect(
		scene((s) => {
			committed(s);
			s.apply("a", "2/7");
			s.look("a", { role: "leader", term: 1, commitIndex: 2 });
		}),
	).toBe(name);
	expect(
		scene((s) => {
			s.append("a", ["1/1"]);
			s.append("b", ["1/1", "2/1"]);
			s.append("c", ["1/1", "2/1"]);
			s.look("b", { term: 1, commitIndex: 2 });
			s.look("a", { term: 1, commitIndex: 2 });
		}),
	).not.toBe(null);
});

test("monotonic", () => {
	const name = "monotonic";
	expect(
		scene((s) => {
			s.look("a", { term: 2 });
			s.look("a", { term: 1 });
		}),
	).toBe(name);
	expect(
		scene((s) => {
			committed(s);
			s.look("a", { role: "leader", term: 1, commitIndex: 1 });
		}),
	).not.toBe(null);
	expect(
		scene((s) => {
			committed(s);
			s.apply("a", "2/1");
			s.apply("a", "1/1");
		}),
	).toBe(name);
	expect(
		scene((s) => {
			s.look("a", { term: 2, leader: "b" });
			s.look("a", { term: 2, leader: null });
			s.look("a", { term: 2, leader: "c" });
		}),
	).toBe(name);
});
