/** What `GET /cluster` shows, put together from the core, and from what nodes tell each other about themselves. */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { isWitness } from "../consensus/quorum.ts";
import type { Configuration, LogIndex, Member, NodeId, Role } from "../consensus/types.ts";
import { acknowledgementText } from "../database/acknowledgement-text.ts";
import type { LogFormat } from "../database/log-format.ts";
import type { WireVersions } from "../world/network.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Degradation } from "./degradation.ts";
import type { PeerStatus } from "./directory.ts";
import type { ClusterView, ElectionsView, MemberView } from "./service.ts";

export interface OwnStatus {
	readonly self: NodeId;
	readonly clusterId: string;
	readonly url: string;
	readonly version: string;
	readonly wire: WireVersions;
	readonly appliedIndex: LogIndex;
	/** By this member's own knowledge. */
	readonly inSync: boolean;
	/** Of writes that do not ask for another mode, as far as this member has applied. */
	readonly acknowledgement: Acknowledgement;
	readonly lostTransactions: number;
	readonly elections: ElectionsView;
}

export interface ClusterViewOptions {
	readonly own: OwnStatus;
	readonly runner: CoreRunner;
	readonly configuration: Configuration;
	readonly format: LogFormat;
	readonly statusOf: (node: NodeId) => PeerStatus | null;
	readonly reachable: (node: NodeId) => boolean;
	/** Bytes of the log after an index. */
	readonly bytesAfter: (index: LogIndex) => number;
	readonly degraded: readonly Degradation[];
}

export function clusterView(options: ClusterViewOptions): ClusterView {
	const { own, runner, configuration } = options;
	const members: Record<NodeId, MemberView> = {};
	for (const member of configuration.members) {
		const kind = memberKind(configuration, member.id);
		members[member.id] =
			member.id === own.self ? ownView(options, kind, member) : otherView(options, kind, member);
	}
	return {
		cluster: own.clusterId,
		node: own.self,
		version: own.version,
		databases: {
			default: {
				term: runner.state.term,
				leader: runner.state.leader,
				commitIndex: runner.commitIndex,
				acknowledgement: acknowledgementText(own.acknowledgement),
				format: options.format,
				elector: runner.core.view.elector,
				elections: own.elections,
				// Each member reports what was in its own log: one of them may have lost what no other ever had.
				lostTransactions: lostBy(members),
				degraded: options.degraded,
				chain: runner.core.view.chain,
				members,
			},
		},
	};
}

/**
 * A view that the leader made, as this node shows it: with what it knows itself of its lease, since the leader's end of that comes later, and of what it lost, which the leader hears of within a second.
 */
export function shownBy(
	seen: ClusterView,
	own: Pick<OwnStatus, "self" | "version" | "inSync" | "lostTransactions" | "elections">,
): ClusterView {
	const { elections } = own;
	const databases = Object.entries(seen.databases).map(([name, database]) => {
		const member = database.members[own.self];
		const members =
			member === undefined
				? database.members
				: {
						...database.members,
						[own.self]: {
							...member,
							inSync: inSyncOf(member.kind, own.inSync),
							lostTransactions: own.lostTransactions,
						},
					};
		const lostTransactions = lostBy(members);
		return [name, { ...database, elections, members, lostTransactions }] as const;
	});
	return { ...seen, node: own.self, version: own.version, databases: Object.fromEntries(databases) };
}

function lostBy(members: Readonly<Record<string, MemberView>>): number {
	return Object.values(members).reduce((sum, one) => sum + (one.lostTransactions ?? 0), 0);
}

export function memberKind(configuration: Configuration, id: NodeId): MemberView["kind"] {
	const { voters, learners, joining } = configuration;
	if (voters.includes(id)) return isWitness(configuration, id) ? "witness" : "voter";
	if (joining.includes(id)) return "joining";
	return learners.includes(id) ? "learner" : "leaving";
}

function ownView(
	{ own, runner }: ClusterViewOptions,
	kind: MemberView["kind"],
	{ peer, priority }: Member,
): MemberView {
	const { durableIndex, base } = runner.core.view;
	const lastTerm = durableIndex === base.index ? base.term : runner.core.view.termAt(durableIndex);
	return {
		kind,
		priority: priority ?? "normal",
		role: runner.state.role,
		url: own.url,
		peer,
		version: own.version,
		wire: own.wire,
		matchIndex: durableIndex,
		last: lastTerm === null ? null : { term: lastTerm, index: durableIndex },
		appliedIndex: own.appliedIndex,
		lagEntries: Math.max(0, runner.commitIndex - own.appliedIndex),
		lagBytes: runner.state.role === "leader" ? 0 : null,
		lagMs: runner.state.role === "leader" ? 0 : null,
		inSync: inSyncOf(kind, own.inSync),
		reachable: true,
		lostTransactions: own.lostTransactions,
	};
}

function otherView(
	options: ClusterViewOptions,
	kind: MemberView["kind"],
	{ id, peer, priority }: Member,
): MemberView {
	const { runner } = options;
	const status = options.statusOf(id);
	const reachable = options.reachable(id);
	const progress = runner.state.role === "leader" ? runner.core.view.progress.get(id) : undefined;
	const matchIndex = progress?.matchIndex ?? null;
	const appliedIndex = progress?.appliedIndex ?? status?.appliedIndex ?? null;
	const lagMs = progress?.lacksForMs ?? status?.behindMs ?? null;
	return {
		kind,
		priority: priority ?? "normal",
		role: roleOf(options, id, status),
		url: status?.url ?? null,
		peer,
		version: status?.version ?? null,
		wire: status?.wire ?? null,
		matchIndex,
		last: null,
		appliedIndex,
		lagEntries: appliedIndex === null ? null : Math.max(0, runner.commitIndex - appliedIndex),
		lagBytes: progress === undefined || appliedIndex === null ? null : lagBytes(options, appliedIndex),
		lagMs: lagMs === null ? null : Math.round(lagMs),
		inSync: inSyncOf(kind, progress?.inSync ?? null),
		reachable,
		lostTransactions: status?.lostTransactions ?? null,
	};
}

/** A witness never is, and that says nothing of how it is. */
function inSyncOf(kind: MemberView["kind"], inSync: boolean | null): boolean | null {
	return kind === "witness" ? null : inSync;
}

/** Of what is committed and not applied. */
function lagBytes({ runner, bytesAfter }: ClusterViewOptions, appliedIndex: LogIndex): number {
	return Math.max(0, bytesAfter(appliedIndex) - bytesAfter(runner.commitIndex));
}

function roleOf(
	{ runner, reachable }: ClusterViewOptions,
	id: NodeId,
	status: PeerStatus | null,
): Role | null {
	if (runner.state.leader === id) return "leader";
	if (status === null || !reachable(id)) return null;
	return status.role === "leader" ? "follower" : status.role;
}
