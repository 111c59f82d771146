/**
 * Crashes at the boundaries between two operations of a disk: a member that runs is ended at some
 * operation from now, and then while it starts again, at one boundary after the other, until it may live.
 */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { CrashKind, Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import type { Tell } from "../trace/event.ts";

export interface CrashSweeps {
	/** At some operation from now, and at those of the starts that follow. */
	begin(member: Member): void;
	/** To be called when the member was started. */
	onStart(member: Member): void;
}

interface Sweep {
	startsLeft: number;
	/** Which operation of its start is the next to be cut. */
	next: number;
	readonly step: number;
}

export function createCrashSweeps(options: { readonly chance: Chance; readonly tell: Tell }): CrashSweeps {
	const { chance, tell } = options;
	const sweeps = new Map<NodeId, Sweep>();

	function crashAt(member: Member, operation: number): void {
		const when = chance.pick(["before", "after"] as const);
		const kind = chance.pick<CrashKind>(["kill", "power"]);
		member.disk.atOperation(operation, when, () => {
			tell({ type: "crash-at-operation", node: member.id, operation, when, state: member.state });
			member.crash(kind);
		});
	}

	return {
		begin(member) {
			const step = chance.integer(1, 4);
			sweeps.set(member.id, { startsLeft: chance.pick([0, 1, 5, 15]), next: chance.integer(1, step), step });
			crashAt(member, chance.integer(1, 60));
		},
		onStart(member) {
			const sweep = sweeps.get(member.id);
			if (sweep === undefined || sweep.startsLeft === 0) return;
			sweep.startsLeft--;
			crashAt(member, sweep.next);
			sweep.next += sweep.step;
		},
	};
}
