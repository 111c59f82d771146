/**
 * A leader asks its followers whether it still leads, and sleeps before it hears them: their answers stay on the
 * way. Meanwhile another one is elected and acknowledges writes. Then clients come back to the sleeper, which wakes up
 * with their requests, and after them, with the old answers, before any news of the other leader: nothing that it is
 * asked now may be answered from what it knew (etcd 20418, rqlite 8.32).
 */
import type { Member } from "../cluster/member.ts";
import { type OperationKind, operationKinds } from "../load/settings.ts";
import { isolation } from "../world/partitions.ts";
import type { Stage } from "./plot-stage.ts";

export function heldRead(stage: Stage, old: Member, done: () => void): void {
	const { cluster, chance, tell, ids, between, later, when } = stage;
	const { members, network } = cluster;
	const term = old.core?.term ?? 0;
	tell({ type: "plot", plot: "held read", leader: old.id, companions: "" });
	// What clients had asked of it is done before it sleeps: a write under way would hold up the next ones.
	old.keepClientsOut(true);
	later(between(0.05, 0.3), () => {
		stage.visit(chance.pick(members.filter((member) => member !== old)), "read");
		stage.soon(asks, sleep);
	});

	/** Its own clients are away: it asks on behalf of a follower. */
	function asks(): boolean {
		return (old.core?.pendingReads ?? 0) > 0;
	}

	function sleep(): void {
		// Its question is on its way and arrives; what comes back waits.
		network.cut(isolation(ids, old.id, "in"), "hold");
		old.pause("suspended");
		when(anotherLeads, 10, () => later(between(0.1, 1), comeBack));
	}

	function anotherLeads(): boolean {
		const now = stage.leader();
		return now !== null && now !== old && (now.core?.term ?? 0) > term;
	}

	function comeBack(): void {
		// Who changes something waits for its commit, and all that come behind: that not everybody does.
		const kinds = chance.pick([unchanging, unchanging, operationKinds]);
		for (let visits = 0; visits < 3; visits++) stage.visit(old, chance.pick(kinds));
		later(between(0.02, 0.2), () => {
			old.resume();
			old.keepClientsOut(false);
			later(between(0, 0.3), () => {
				network.mend(isolation(ids, old.id, "in"));
				done();
			});
		});
	}
}

const unchanging: readonly OperationKind[] = ["read", "multi-read", "locked-read", "lost-race", "refused"];
