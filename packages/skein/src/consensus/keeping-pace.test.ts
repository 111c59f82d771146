/** Whether the voters that will be could go on: which of them keep pace. */
import { expect, test } from "vitest";
import type { Progress } from "./progress.ts";
import { changeMembers } from "./reconfiguration.ts";
import { appendOwn } from "./replication.ts";
import {
	configurationFor,
	establishedLeader,
	progressOf,
	settings,
	startedAt,
	takeOutputs,
} from "./testing/member-state.ts";

/** n1 votes alone, n2 learns, and lacks one entry of 100 bytes. */
function promoted(of: Partial<Progress>, maxInFlightBytes = 100): string {
	const { state, leader } = establishedLeader({
		configuration: configurationFor(["n1"], ["n2"]),
		settings: { maxInFlightBytes },
	});
	appendOwn(state, [{ kind: "command", payload: new Uint8Array(68) }]);
	takeOutputs(state);
	Object.assign(progressOf(leader, "n2"), of);
	changeMembers(state, {
		type: "change-members",
		now: state.now,
		changes: [{ change: "promote", id: "n2" }],
		force: false,
		dryRun: true,
	});
	const [answer] = takeOutputs(state);
	if (answer?.type === "change-refused") return `${answer.reason}: ${answer.missing.join(", ")}`;
	return answer?.type ?? "nothing";
}

test("a voter keeps pace that was heard within an election timeout, and lacks no more than a window", () => {
	expect(promoted({})).toBe("change-accepted");
	expect(promoted({}, 99)).toBe("quorum-at-risk: n2");
	expect(promoted({ lastContact: startedAt - settings.electionTimeoutMs + 1 })).toBe("change-accepted");
	expect(promoted({ lastContact: startedAt - settings.electionTimeoutMs })).toBe("quorum-at-risk: n2");
	// It is known since now, and was never heard.
	expect(promoted({ lastContact: null })).toBe("quorum-at-risk: n2");
});
