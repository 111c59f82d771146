/**
 * GET /metrics, in the text form of Prometheus: what this node itself knows, so that each is asked for itself. The lag of
 * the followers is the leader's knowledge, and only it has it. All are gauges of the present state, so no library
 * holds them: the day there are counters and histograms, one shall.
 */
import type { ClusterView, DatabaseView, MemberView } from "../node/service.ts";

interface Sample {
	readonly labels: Readonly<Record<string, string>>;
	readonly value: number;
}

interface Metric {
	readonly name: string;
	readonly help: string;
	readonly samples: readonly Sample[];
}

export function metricsText(view: ClusterView): string {
	const metrics = Object.entries(view.databases).flatMap(([name, database]) =>
		metricsOf(name, database, view.node),
	);
	return metrics
		.filter(({ samples }) => samples.length > 0)
		.map(textOf)
		.join("");
}

function metricsOf(name: string, database: DatabaseView, node: string): Metric[] {
	const common = { database: name };
	const leads = database.leader === node;
	const members = Object.entries(database.members);
	const one = (value: number): Sample[] => [{ labels: common, value }];
	const each = (valueOf: (member: MemberView) => number | boolean | null, ids = members): Sample[] =>
		ids.flatMap(([id, member]) => {
			const value = valueOf(member);
			return value === null ? [] : [{ labels: { ...common, member: id }, value: Number(value) }];
		});
	const own = members.filter(([id]) => id === node);
	const followers = leads ? members.filter(([id]) => id !== node) : [];
	return [
		{ name: "skein_term", help: "The term that this node is in.", samples: one(database.term) },
		{ name: "skein_leader", help: "1 where this node leads.", samples: one(Number(leads)) },
		{
			name: "skein_elections_paused_ms",
			help: "For how long elections are paused on this node: it does not stand by itself.",
			samples: one(database.elections.pausedForMs),
		},
		{
			name: "skein_stepped_down_ms",
			help: "For how long this node does not stand by itself, since it stepped down for an operator.",
			samples: one(database.elections.restsForMs),
		},
		{
			name: "skein_witness",
			help: "1 where this node votes and holds no data.",
			samples: each(({ kind }) => kind === "witness", own),
		},
		{ name: "skein_commit_index", help: "Known to be committed.", samples: one(database.commitIndex) },
		{
			name: "skein_applied_index",
			help: "In this node's database.",
			samples: each(({ appliedIndex }) => appliedIndex, own),
		},
		{
			name: "skein_in_sync",
			help: "1 while this node holds an in-sync lease, by its own clock.",
			samples: each(({ inSync }) => inSync, own),
		},
		{
			name: "skein_lost_transactions",
			help: "Reported in lost/ on this node's disk.",
			samples: each(({ lostTransactions }) => lostTransactions, own),
		},
		{
			name: "skein_follower_lag_entries",
			help: "On the leader: committed entries that the follower has not applied.",
			samples: each(({ lagEntries }) => lagEntries, followers),
		},
		{
			name: "skein_follower_lag_bytes",
			help: "On the leader: their bytes in the log.",
			samples: each(({ lagBytes }) => lagBytes, followers),
		},
		{
			name: "skein_follower_lag_ms",
			help: "On the leader: for how long the first of them has been committed.",
			samples: each(({ lagMs }) => lagMs, followers),
		},
		{
			name: "skein_follower_in_sync",
			help: "On the leader: 1 while writes of mode sync wait for the follower.",
			samples: each(({ inSync }) => inSync, followers),
		},
		{
			name: "skein_acknowledgement_degraded_ms",
			help: "On the leader: for how long writes of this mode have been waiting for the member, or been answered without it.",
			samples: database.degraded.flatMap(({ acknowledgement, effect, members: missing, forMs }) =>
				missing.map((member) => ({ labels: { ...common, acknowledgement, effect, member }, value: forMs })),
			),
		},
	];
}

function textOf({ name, help, samples }: Metric): string {
	const lines = samples.map(({ labels, value }) => {
		const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
		return `${name}{${pairs.join(",")}} ${value}\n`;
	});
	return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join("")}`;
}

function escaped(text: string): string {
	return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
