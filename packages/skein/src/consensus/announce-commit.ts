/** Tells this member's own database what it may apply. */
import { shownCommitIndex } from "./local-reads.ts";
import type { CoreState } from "./state.ts";

/**
 * Committed, and durable here (a leader may learn the first before the second), and not held back for others. Who led while it
 * held something back goes on to do so until their leases have ended; the next leader, who comes later, makes it go on.
 */
export function announceCommit(state: CoreState): void {
	const { roleState: role } = state;
	if (role.role !== "leader" && state.now <= state.showsNothingUntil) return;
	const committed = role.role === "leader" ? shownCommitIndex(state, role, null) : state.commitIndex;
	const index = Math.min(committed, state.disk.durableIndex);
	if (index <= state.announcedCommitIndex) return;
	state.announcedCommitIndex = index;
	state.outputs.push({ type: "commit", index });
}
