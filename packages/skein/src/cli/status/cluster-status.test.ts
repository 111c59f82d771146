import { expect, test } from "vitest";
import { type ClusterStatus, statusTable } from "./cluster-status.ts";

const node = {
	id: "n1",
	role: "leader",
	kind: "voter",
	priority: "normal",
	term: 2,
	commitIndex: 9,
	appliedIndex: 9,
	lagEntries: 0,
	lagMs: 0,
	inSync: true,
	health: "ready",
	version: "0",
	url: "http://n1",
	elections: { pausedForMs: 0, restsForMs: 0 },
};

test("the table says who is in-sync, and which modes wait or are answered without whom", () => {
	const status: ClusterStatus = {
		cluster: "c",
		view: { cluster: "c", node: "n1", version: "0", databases: {} },
		leader: "n1",
		lostTransactions: 0,
		acknowledgement: "quorum",
		chain: ["n2", "n3"],
		degraded: [
			{
				acknowledgement: "sync",
				effect: "answers-without",
				members: ["n2"],
				sinceMs: Date.UTC(2026, 0),
				forMs: 1,
			},
			{
				acknowledgement: "sync;strict",
				effect: "waits",
				members: ["n2"],
				sinceMs: Date.UTC(2026, 0),
				forMs: 1,
			},
		],
		nodes: [
			node,
			{ ...node, id: "n2", role: "follower", inSync: false },
			{ ...node, id: "n3", inSync: null },
		],
	};
	const lines = statusTable(status).split("\n");
	expect(lines.find((line) => line.includes("n1"))).toMatch(/yes/);
	expect(lines.find((line) => line.includes("n2"))).toMatch(/ no /);
	expect(lines.slice(-4)).toEqual([
		"acknowledgement mode: quorum",
		"chain: n1 -> n2 -> n3",
		"sync: answered without n2, since 2026-01-01T00:00:00.000Z",
		"sync;strict: writes wait for n2, since 2026-01-01T00:00:00.000Z",
	]);
});
