/** Up to when a leader that was deposed holds back what it had not shown: as long as somebody may read by itself. */
import { expect, test } from "vitest";
import { announceCommit } from "./announce-commit.ts";
import { createDiskLedger } from "./disk-ledger.ts";
import type { Output } from "./output.ts";
import type { CoreState } from "./state.ts";

test("nothing is shown at the very moment at which the last lease ends, and all of it right after", () => {
	const outputs: Output[] = [];
	const deposed: Partial<CoreState> = {
		roleState: { role: "follower", verifiedIndex: 5, acknowledgementOwed: false, round: 0, awaitedIndex: 0 },
		showsNothingUntil: 100,
		commitIndex: 5,
		announcedCommitIndex: 3,
		disk: createDiskLedger(5),
		outputs,
	};
	announceCommit({ ...deposed, now: 100 } as CoreState);
	expect(outputs).toEqual([]);
	announceCommit({ ...deposed, now: 100.01 } as CoreState);
	expect(outputs).toEqual([{ type: "commit", index: 5 }]);
});
