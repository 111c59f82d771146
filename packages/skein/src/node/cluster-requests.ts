/** The state of the cluster, as the leader sees it where it answers, or else as this node does. */
import type { NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import { type OwnStatus, shownBy } from "./cluster-view.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";
import type { ClusterView } from "./service.ts";

export interface ClusterRequestsOptions {
	readonly self: NodeId;
	readonly runner: () => Pick<CoreRunner, "state">;
	readonly forwarding: Pick<Forwarding, "call">;
	readonly clock: Clock;
	readonly view: () => ClusterView;
	readonly own: () => Pick<OwnStatus, "self" | "version" | "acknowledgement" | "inSync">;
	readonly timeoutMs: Milliseconds;
}

export function createClusterRequests(options: ClusterRequestsOptions): () => Promise<ClusterView> {
	const { self, runner, forwarding, clock, view, own, timeoutMs } = options;
	return async () => {
		const { leader } = runner().state;
		if (leader === null || leader === self) return view();
		try {
			const body = await forwarding.call(leader, "cluster", "", clock.now() + timeoutMs);
			// The leader's own code made it, of the same version or one that knows its shape.
			return shownBy(JSON.parse(body) as ClusterView, own());
		} catch {
			return view();
		}
	};
}
