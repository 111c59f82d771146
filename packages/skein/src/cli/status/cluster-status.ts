// The cluster's state for people: each node's own word where it answers, what another last heard of it where not.
import type { Client } from "../../../../client/src/index.ts";
import type { ClusterView, DatabaseView, MemberView } from "../../node/service.ts";
import { witnessReason } from "../../node/witness.ts";
import { kindText } from "../member.ts";
import { drawTable } from "../sql/show-result.ts";

export interface NodeStatus {
	readonly id: string;
	readonly role: string;
	/** voter, learner, joining or leaving. */
	readonly kind: string;
	/** preferred, normal or never; null where an older node answers. */
	readonly priority: string | null;
	readonly term: number | null;
	readonly commitIndex: number | null;
	readonly appliedIndex: number | null;
	readonly lagEntries: number | null;
	readonly lagMs: number | null;
	/** By its own word, where it answers. */
	readonly inSync: boolean | null;
	/** ready, "not ready: …" or unreachable. */
	readonly health: string;
	readonly version: string | null;
	readonly url: string | null;
	/** Why it does not stand by itself, and for how long; null: it does, or it is not known. */
	readonly elections: DatabaseView["elections"] | null;
}

export interface ClusterStatus {
	readonly cluster: string;
	/** The node that gave the list of members, and its view. */
	readonly view: ClusterView;
	readonly leader: string | null;
	readonly lostTransactions: number;
	/** The mode of writes that name none. */
	readonly acknowledgement: string;
	readonly degraded: DatabaseView["degraded"];
	readonly chain: DatabaseView["chain"];
	readonly nodes: readonly NodeStatus[];
}

const databaseName = "default";
const requestTimeoutMs = 2_000;
/** Longer than the client takes to find out that a node hangs, so that it asks the next: status is for just then. */
const anyNodeTimeoutMs = 8_000;

/** Throws when no node answers. */
export async function clusterStatus(client: Client): Promise<ClusterStatus> {
	const answer = await client.call("GET", "cluster", undefined, { timeoutMs: anyNodeTimeoutMs });
	const view = readView(answer);
	const group = databaseOf(view);
	const members = Object.entries(group.members);
	const nodes = await Promise.all(members.map(([id, member]) => nodeStatus(id, member, group)));
	// The leader as the most recent term knows it: the node that was asked may have been cut off.
	const leads = nodes.filter((node) => node.role === "leader").sort((a, b) => (b.term ?? 0) - (a.term ?? 0));
	return {
		cluster: view.cluster,
		view,
		leader: leads[0]?.id ?? group.leader,
		lostTransactions: group.lostTransactions,
		acknowledgement: group.acknowledgement,
		// Absent where an older node answers.
		degraded: group.degraded ?? [],
		chain: group.chain ?? [],
		nodes: nodes.sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true })),
	};
}

async function nodeStatus(id: string, member: MemberView, group: DatabaseView): Promise<NodeStatus> {
	const heard = {
		id,
		role: member.role ?? "unknown",
		kind: member.kind,
		priority: member.priority ?? null,
		term: null,
		commitIndex: null,
		appliedIndex: member.appliedIndex,
		lagEntries: member.lagEntries,
		lagMs: member.lagMs,
		inSync: member.inSync,
		version: member.version,
		url: member.url,
		elections: null,
	};
	if (member.url === null) return { ...heard, health: "unreachable" };
	const [own, ready] = await Promise.all([
		get(member.url, "cluster").then((answer) => (answer === null ? null : readView(answer.body))),
		get(member.url, "ready"),
	]);
	// Another cluster may have taken the address over.
	if (own === null || own.node !== id) return { ...heard, role: "-", inSync: null, health: "unreachable" };
	const ownGroup = databaseOf(own);
	const ownMember = ownGroup.members[id];
	return {
		...heard,
		role: ownMember?.role ?? heard.role,
		term: ownGroup.term,
		commitIndex: ownGroup.commitIndex,
		appliedIndex: ownMember?.appliedIndex ?? heard.appliedIndex,
		lagEntries: heard.lagEntries ?? lagBehind(group.commitIndex, ownMember?.appliedIndex ?? null),
		inSync: ownMember?.inSync ?? null,
		health: healthOf(ready),
		version: own.version,
		// Absent where an older node answers.
		elections: ownGroup.elections ?? null,
	};
}

function healthOf(ready: { readonly ok: boolean; readonly body: unknown } | null): string {
	const reason = reasonOf(ready?.body);
	// It is as well as it can be, and no place for clients.
	return ready?.ok === true || reason === `: ${witnessReason}` ? "ready" : `not ready${reason}`;
}

function roleText({ role, kind, priority }: NodeStatus): string {
	const text = kindText(kind, priority);
	return text === "voter" ? role : `${role} (${text})`;
}

function lagBehind(commitIndex: number, appliedIndex: number | null): number | null {
	return appliedIndex === null ? null : Math.max(0, commitIndex - appliedIndex);
}

export function statusTable(status: ClusterStatus): string {
	const columns = ["node", "role", "term", "commit", "applied", "lag", "in-sync", "health", "version"];
	const rows = status.nodes.map((node) => [
		node.id,
		roleText(node),
		dash(node.term),
		dash(node.commitIndex),
		dash(node.appliedIndex),
		lagText(node),
		node.inSync === null ? "-" : node.inSync ? "yes" : "no",
		node.health,
		dash(node.version),
	]);
	const alignRight = [false, false, true, true, true, true, false, false, false];
	const lost =
		status.lostTransactions === 0
			? ""
			: `\nat most ${status.lostTransactions} lost transactions (two members may report the same): skein lost list --data DIR on the nodes`;
	const leader = status.leader === null ? "\nNobody leads: writes wait." : "";
	const degraded = status.degraded.map((one) => `\n${degradedText(one)}`).join("");
	const elections = electorText(status) + electionsText(status.nodes);
	const chain =
		status.chain.length === 0 ? "" : `\nchain: ${[status.leader ?? "?", ...status.chain].join(" -> ")}`;
	const mode = `\nacknowledgement mode: ${status.acknowledgement}`;
	return `${drawTable(columns, rows, alignRight)}${mode}${leader}${elections}${chain}${degraded}${lost}`;
}

function electorText({ view, leader }: ClusterStatus): string {
	// Absent where an older node answers.
	const elector = view.databases[databaseName]?.elector ?? "raft";
	const way = elector === "manual" && leader === null ? ": skein stand NODE says who is to lead" : "";
	return elector === "raft" ? "" : `\nelector: ${elector}${way}`;
}

function electionsText(nodes: readonly NodeStatus[]): string {
	const seconds = (ms: number): string => `${Math.ceil(ms / 1_000)} s`;
	const paused = nodes.filter(({ elections }) => (elections?.pausedForMs ?? 0) > 0);
	const longestMs = Math.max(...paused.map(({ elections }) => elections?.pausedForMs ?? 0));
	const pause =
		paused.length === 0
			? ""
			: `\nelections are paused for ${seconds(longestMs)} on ${paused.map(({ id }) => id).join(", ")}: skein resume-elections`;
	const resting = nodes.flatMap(({ id, elections }) =>
		(elections?.restsForMs ?? 0) > 0
			? `\n${id} stepped down, and does not stand for ${seconds(elections?.restsForMs ?? 0)}`
			: [],
	);
	return `${pause}${resting.join("")}`;
}

function degradedText({
	acknowledgement,
	effect,
	members,
	sinceMs,
}: DatabaseView["degraded"][number]): string {
	const what = effect === "waits" ? "writes wait for" : "answered without";
	return `${acknowledgement}: ${what} ${members.join(", ")}, since ${new Date(sinceMs).toISOString()}`;
}

function lagText(node: NodeStatus): string {
	if (node.lagEntries === null) return "-";
	return node.lagMs === null || node.lagMs < 1
		? String(node.lagEntries)
		: `${node.lagEntries} (${Math.round(node.lagMs)} ms)`;
}

function dash(value: string | number | null): string {
	return value === null ? "-" : String(value);
}

async function get(base: string, path: string): Promise<{ ok: boolean; body: unknown } | null> {
	try {
		const url = new URL(path, base.endsWith("/") ? base : `${base}/`);
		const response = await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs) });
		const text = await response.text();
		return { ok: response.ok, body: text === "" ? null : JSON.parse(text) };
	} catch {
		return null;
	}
}

function reasonOf(body: unknown): string {
	if (typeof body !== "object" || body === null) return "";
	const reason = "reason" in body ? body.reason : "message" in body ? body.message : "";
	return typeof reason === "string" && reason !== "" ? `: ${reason}` : "";
}

function readView(body: unknown): ClusterView {
	const isView =
		typeof body === "object" && body !== null && "cluster" in body && "node" in body && "databases" in body;
	if (!isView) throw new Error("the answer to GET /cluster is not a cluster's state");
	// The server's own type, checked as far as a mix-up with another server goes.
	return body as ClusterView;
}

function databaseOf(view: ClusterView): DatabaseView {
	const group = view.databases[databaseName];
	if (group === undefined) throw new Error(`node ${view.node} knows no database "${databaseName}"`);
	return group;
}
