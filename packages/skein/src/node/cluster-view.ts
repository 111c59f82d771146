/** What `GET /cluster` shows, put together from the core, and from what nodes tell each other about themselves. */
import type { Configuration, LogIndex, NodeId, Role } from "../consensus/types.ts";
import type { LogFormat } from "../database/log-format.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { PeerStatus } from "./directory.ts";
import type { ClusterView, MemberView } from "./service.ts";

export interface OwnStatus {
	readonly self: NodeId;
	readonly clusterId: string;
	readonly url: string;
	readonly version: string;
	readonly appliedIndex: LogIndex;
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
}

export function clusterView(options: ClusterViewOptions): ClusterView {
	const { own, runner, configuration } = options;
	const members: Record<NodeId, MemberView> = {};
	for (const member of configuration.members) {
		const kind = configuration.learners.includes(member.id) ? "learner" : "voter";
		members[member.id] =
			member.id === own.self
				? ownView(options, kind, member.peer)
				: otherView(options, member.id, kind, member.peer);
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
				acknowledgement: "quorum",
				format: options.format,
				lostTransactions: 0,
				members,
			},
		},
	};
}

function ownView({ own, runner }: ClusterViewOptions, kind: MemberView["kind"], peer: string): MemberView {
	const { lastIndex, durableIndex } = runner.core.view;
	return {
		kind,
		role: runner.state.role,
		url: own.url,
		peer,
		version: own.version,
		matchIndex: durableIndex,
		appliedIndex: own.appliedIndex,
		lagEntries: Math.max(0, runner.commitIndex - own.appliedIndex),
		lagBytes: runner.state.role === "leader" ? 0 : null,
		lagMs: runner.state.role === "leader" ? 0 : null,
		inSync: lastIndex === durableIndex || runner.state.role === "leader",
		reachable: true,
	};
}

function otherView(
	options: ClusterViewOptions,
	id: NodeId,
	kind: MemberView["kind"],
	peer: string,
): MemberView {
	const { runner } = options;
	const status = options.statusOf(id);
	const reachable = options.reachable(id);
	const progress = runner.state.role === "leader" ? runner.core.view.progress.get(id) : undefined;
	const matchIndex = progress?.matchIndex ?? null;
	return {
		kind,
		role: roleOf(options, id, status),
		url: status?.url ?? null,
		peer,
		version: status?.version ?? null,
		matchIndex,
		appliedIndex: status?.appliedIndex ?? null,
		lagEntries: status === null ? null : Math.max(0, runner.commitIndex - status.appliedIndex),
		lagBytes: matchIndex === null ? null : options.bytesAfter(matchIndex),
		lagMs: status === null ? null : Math.round(status.behindMs),
		inSync: matchIndex === null ? null : reachable && matchIndex >= runner.commitIndex,
		reachable,
	};
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
