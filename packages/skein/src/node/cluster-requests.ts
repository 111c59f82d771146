/** `GET /cluster` on any node: the leader is asked for what only it knows; without one, what this node knows. */
import type { NodeId } from "../consensus/types.ts";
import type { LogFormat } from "../database/log-format.ts";
import type { Log } from "../log/log.ts";
import type { Clock } from "../world/clock.ts";
import type { Network } from "../world/network.ts";
import type { AppliedIndex } from "./applied-index.ts";
import { clusterView, shownBy } from "./cluster-view.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { DefaultAcknowledgement } from "./default-acknowledgement.ts";
import type { Degradations } from "./degradation.ts";
import type { Directory } from "./directory.ts";
import type { Forwarding } from "./forwarding.ts";
import type { InSync } from "./in-sync.ts";
import type { LostTransactions } from "./lost-transactions.ts";
import type { ClusterView, ElectionsView } from "./service.ts";
import type { SettingRequests } from "./setting-requests.ts";
import type { NodeSettings } from "./settings.ts";

export interface ClusterRequests {
	/** The leader's view, shown by this node. */
	cluster(): Promise<ClusterView>;
	/** This node's own. */
	own(): Promise<ClusterView>;
	/** The same at once; the log format as of when it was last asked for. */
	ownNow(): ClusterView;
}

export interface ClusterRequestsOptions {
	readonly self: NodeId;
	readonly url: string;
	readonly version: string;
	readonly runner: () => CoreRunner;
	readonly log: Log;
	readonly applied: AppliedIndex;
	readonly clock: Clock;
	readonly network: Network;
	readonly settings: NodeSettings;
	readonly directory: Directory;
	readonly forwarding: Forwarding;
	readonly inSync: InSync;
	readonly degradations: Degradations;
	readonly lost: LostTransactions;
	readonly mode: Pick<DefaultAcknowledgement, "current">;
	readonly settingRequests: SettingRequests;
}

export function createClusterRequests(options: ClusterRequestsOptions): ClusterRequests {
	const { self, version, clock, settings, network, inSync, settingRequests } = options;

	function viewWith(format: LogFormat): ClusterView {
		const runner = options.runner();
		const { view } = runner.core;
		return clusterView({
			own: {
				self,
				clusterId: options.log.recovered.identity.clusterId,
				url: options.url,
				version,
				wire: network.wire,
				appliedIndex: options.applied.position.index,
				inSync: inSync.holds(),
				acknowledgement: options.mode.current,
				lostTransactions: options.lost.count,
				elections: elections(),
			},
			runner,
			configuration: view.configuration,
			format,
			statusOf: (node) => options.directory.statusOf(node),
			reachable: (node) => network.reachable(node),
			bytesAfter: (index) => view.bytesAfter(index),
			degraded: options.degradations.list(),
		});
	}

	function elections(): ElectionsView {
		const { paused, "stepped-down": rests } = options.runner().core.view.heldBackForMs;
		return { pausedForMs: Math.round(paused), restsForMs: Math.round(rests) };
	}

	async function own(): Promise<ClusterView> {
		return viewWith(await settingRequests.format());
	}

	return {
		own,
		ownNow: () => viewWith(settingRequests.lastFormat()),
		async cluster() {
			const { leader } = options.runner().state;
			if (leader === null || leader === self) return await own();
			try {
				const deadlineAt = clock.now() + settings.statusIntervalMs;
				const body = await options.forwarding.call(leader, "cluster", "", deadlineAt);
				// The leader's own code made it, of the same version or one that knows its shape.
				const seen = JSON.parse(body) as ClusterView;
				return shownBy(seen, {
					self,
					version,
					inSync: inSync.holds(),
					lostTransactions: options.lost.count,
					elections: elections(),
				});
			} catch {
				return await own();
			}
		},
	};
}
