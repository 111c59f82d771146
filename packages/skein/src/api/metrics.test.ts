import { expect, test } from "vitest";
import type { ClusterView, MemberView } from "../node/service.ts";
import { metricsText } from "./metrics.ts";
import { startTestApi } from "./testing/test-api.ts";

const member: MemberView = {
	priority: "normal",
	kind: "voter",
	role: "follower",
	url: null,
	peer: "n2:1",
	version: null,
	matchIndex: 40,
	last: null,
	wire: null,
	appliedIndex: 40,
	lagEntries: 2,
	lagBytes: 140,
	lagMs: 7,
	inSync: true,
	reachable: true,
	lostTransactions: 0,
};

const view: ClusterView = {
	cluster: "c",
	node: "n1",
	version: "0",
	databases: {
		default: {
			term: 7,
			leader: "n1",
			commitIndex: 42,
			elector: "raft",
			elections: { pausedForMs: 1_500, restsForMs: 0 },
			acknowledgement: "quorum",
			format: "row",
			lostTransactions: 1,
			chain: [],
			degraded: [
				{
					acknowledgement: "sync;strict",
					effect: "waits",
					members: ["n3"],
					sinceMs: Date.UTC(2026, 0),
					forMs: 1_200,
				},
			],
			members: {
				n1: {
					...member,
					role: "leader",
					lagEntries: 0,
					lagBytes: 0,
					lagMs: 0,
					appliedIndex: 42,
					lostTransactions: 1,
				},
				n2: member,
				n3: { ...member, inSync: false, lagEntries: null, lagBytes: null, lagMs: null },
			},
		},
	},
};

const linesOf = (shown: ClusterView): string[] =>
	metricsText(shown)
		.split("\n")
		.filter((line) => line !== "" && !line.startsWith("#"));

test("a leader tells the lag of its followers, and which modes are degraded", () => {
	expect(linesOf(view)).toEqual([
		'skein_term{database="default"} 7',
		'skein_leader{database="default"} 1',
		'skein_elections_paused_ms{database="default"} 1500',
		'skein_stepped_down_ms{database="default"} 0',
		'skein_witness{database="default",member="n1"} 0',
		'skein_commit_index{database="default"} 42',
		'skein_applied_index{database="default",member="n1"} 42',
		'skein_in_sync{database="default",member="n1"} 1',
		'skein_lost_transactions{database="default",member="n1"} 1',
		'skein_follower_lag_entries{database="default",member="n2"} 2',
		'skein_follower_lag_bytes{database="default",member="n2"} 140',
		'skein_follower_lag_ms{database="default",member="n2"} 7',
		'skein_follower_in_sync{database="default",member="n2"} 1',
		'skein_follower_in_sync{database="default",member="n3"} 0',
		'skein_acknowledgement_degraded_ms{database="default",acknowledgement="sync;strict",effect="waits",member="n3"} 1200',
	]);
	expect(metricsText(view)).toMatch(/^# HELP skein_term .*\n# TYPE skein_term gauge\nskein_term/);
});

test("a follower tells of itself only", () => {
	const followed = linesOf({ ...view, node: "n2" });
	expect(followed.filter((line) => line.includes("follower"))).toEqual([]);
	expect(followed).toContain('skein_applied_index{database="default",member="n2"} 40');
	expect(followed).toContain('skein_leader{database="default"} 0');
});

test("GET /metrics is text", async () => {
	await using api = await startTestApi();
	const answer = await fetch(`${api.url}/metrics`);
	expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/plain; charset=utf-8"]);
});
