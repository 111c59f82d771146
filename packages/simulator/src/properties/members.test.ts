// Properties of members that change, and of disks that are lost: each sees what it must.
import { expect, test } from "vitest";
import { createScene, type Scene } from "./testing/scene.ts";

function scene(play: (scene: Scene) => void): string | null {
	const played = createScene();
	for (const node of ["a", "b", "c"]) played.start(node);
	play(played);
	return played.broken;
}

test("elected by a majority", () => {
	const name = "elected by a majority";
	const play = (voters: readonly string[], promisers: readonly string[], isOwn: boolean): string | null => {
		const s = createScene(voters, true);
		for (const node of ["a", "b", "c", "d"]) s.start(node);
		if (isOwn) s.promise("a", 1, "a");
		for (const node of promisers) {
			s.promise(node, 1, "a");
			s.send(node, "a", 1, { type: "vote-response", granted: true });
		}
		s.look("a", { role: "leader", term: 1 });
		return s.broken;
	};
	expect(play(["a", "b", "c"], ["b"], true)).toBe(null);
	expect(play(["a", "b", "c"], [], true)).toBe(name);
	expect(play(["a", "b", "c"], ["b"], false)).toBe(name);
	// A learner, or a stranger.
	expect(play(["a", "b", "c"], ["d"], true)).toBe(name);
	// It leads without a vote of its own.
	expect(play(["b", "c", "d"], ["b", "c"], true)).toBe(null);
	expect(play([], ["b", "c"], true)).toBe(name);
});

test("configurations are stored", () => {
	const name = "configurations are stored";
	const play = (stored: number | null, applied: number): string | null =>
		scene((s) => {
			for (const node of ["a", "b", "c"]) s.append(node, ["1/1", "2/1/members", "3/1"]);
			s.look("a", { role: "leader", term: 1, commitIndex: 0 });
			s.look("a", { role: "leader", term: 1, commitIndex: 3 });
			s.show({ type: "applying", node: "a", position: { term: 1, index: applied } });
			s.apply("a", `${applied}/1`);
			s.show({
				type: "snapshot",
				node: "a",
				position: { term: 1, index: applied },
				configurationIndex: stored ?? 0,
			});
		});
	expect(play(2, 3)).toBe(null);
	expect(play(null, 1)).toBe(null);
	expect(play(null, 3)).toBe(name);
});

test("one change at a time", () => {
	const name = "one change at a time";
	const play = (commitIndex: number, established: boolean, again: string | null): string | null => {
		const s = createScene();
		for (const node of ["a", "b", "c"]) s.start(node);
		for (const node of ["a", "b", "c"]) s.append(node, ["1/1", "2/1/members", "3/1/members"]);
		const voters = ["a", "b", "c"];
		const configuration = {
			members: [],
			voters,
			outgoingVoters: [],
			learners: [],
			joining: [],
			retired: ["d"],
		};
		const view = { role: "leader", term: 1, established } as const;
		s.look("a", { ...view, commitIndex: 0, configuration, configurationIndex: 2 });
		const members = again === null ? [] : [{ id: again, peer: "x:1" }];
		s.look("a", {
			...view,
			commitIndex,
			configuration: { ...configuration, members },
			configurationIndex: 3,
		});
		return s.broken;
	};
	expect(play(2, true, null)).toBe(null);
	expect(play(1, true, null)).toBe(name);
	expect(play(2, false, null)).toBe(name);
	expect(play(2, true, "d")).toBe(name);
});

test("an empty disk under the name of one that was lost is another voter, and what it has counts for nothing", () => {
	const grants = { type: "vote-response", granted: true };
	const replaceC = (s: Scene): void => {
		s.show({ type: "ended", node: "c" });
		s.show({ type: "disk-lost", node: "c" });
		s.start("c");
	};
	const election = (play: (s: Scene) => void, outgoing: readonly string[] = []): string | null => {
		const s = createScene(["a", "b", "c"], true);
		for (const node of ["a", "b", "c", "d", "e"]) s.start(node);
		s.promise("b", 2, "b");
		play(s);
		const voters = ["a", "b", "c"];
		const lists = { voters, outgoingVoters: outgoing, members: [], learners: [], joining: [], retired: [] };
		s.look("b", { role: "leader", term: 2, configuration: lists });
		return s.broken;
	};
	const vote = (s: Scene, voter: string): void => {
		s.promise(voter, 2, "b");
		s.send(voter, "b", 2, grants);
	};
	const name = "elected by a majority";
	expect(election((s) => vote(s, "c"))).toBe(null);
	const elected =
		(...voters: string[]) =>
		(s: Scene) => {
			replaceC(s);
			for (const voter of voters) vote(s, voter);
		};
	expect(election(elected("c"))).toBe(name);
	expect(election(elected("a"))).toBe(null);
	// In both halves.
	expect(election(elected("a", "c"), ["b", "c", "d"])).toBe(name);
	expect(election(elected("a", "d"), ["b", "c", "d"])).toBe(null);
	// What it promised before counts, and binds the new disk to nothing.
	const again = (s: Scene): void => {
		vote(s, "c");
		replaceC(s);
		s.promise("c", 2, "a");
		s.send("c", "a", 2, grants);
	};
	expect(election(again)).toBe(null);

	const commit = (s: Scene): void => s.look("a", { role: "leader", term: 1, commitIndex: 2 });
	const write = (s: Scene, node: string): void => s.append(node, ["1/1", "2/1"]);
	expect(
		scene((s) => {
			write(s, "a");
			write(s, "c");
			replaceC(s);
			commit(s);
		}),
	).toBe(null);
	expect(
		scene((s) => {
			write(s, "a");
			replaceC(s);
			write(s, "c");
			commit(s);
		}),
	).toBe("commit on a durable majority");
});
