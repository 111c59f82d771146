/** Requests that follow leadership: where they go, and what is known when nobody took them. */
import { expect, test } from "vitest";
import { SkeinError } from "../../../client/src/errors.ts";
import type { CoreRunner } from "./core-runner.ts";
import { createDeadlines } from "./deadlines.ts";
import { createLeaderRequests, hasMoved } from "./leader-requests.ts";
import { createLeaderWatch } from "./leader-watch.ts";
import { watch } from "./testing/cluster.ts";
import { createVirtualClock } from "./testing/virtual-clock.ts";

function begin() {
	const clock = createVirtualClock();
	const deadlines = createDeadlines(clock);
	const state: { leader: string | null } = { leader: "n1" };
	const leaderWatch = createLeaderWatch(clock, deadlines);
	// Of the runner only this is asked.
	const runner = () => ({ state }) as unknown as CoreRunner;
	const askLeader = createLeaderRequests({ runner, leaderWatch, clock, stopped: () => false });
	return { clock, state, askLeader };
}

const moved = new SkeinError("this node does not lead", { code: "NO_LEADER" });
const lost = new SkeinError("leadership was lost", { code: "LEADERSHIP_LOST", outcome: "unknown" });
const refused = new SkeinError("no such member", { code: "BAD_REQUEST" });

function request(now: number, answers: Record<string, Error | string>, asked: string[] = []) {
	return {
		async ask(leader: string) {
			asked.push(leader);
			const answer = answers[leader] ?? moved;
			if (typeof answer === "string") return answer;
			throw answer;
		},
		mayAskAgain: (error: unknown) => hasMoved(error) || error === lost,
		nobody: "nobody leads",
		deadlineAt: now + 1_000,
	};
}

test("the next leader is asked when the first has moved or was lost", async () => {
	for (const first of [moved, lost]) {
		const { clock, state, askLeader } = begin();
		const asked: string[] = [];
		const answer = watch(askLeader(request(clock.now(), { n1: first, n2: "done" }, asked)));
		await clock.run(100);
		state.leader = "n2";
		await clock.run(100);
		expect(answer.value).toBe("done");
		expect(new Set(asked)).toEqual(new Set(["n1", "n2"]));
	}
});

test("a leader's refusal is the answer, whatever an earlier one did", async () => {
	const { clock, state, askLeader } = begin();
	const answer = watch(askLeader(request(clock.now(), { n1: lost, n2: refused })));
	await clock.run(100);
	state.leader = "n2";
	await clock.run(100);
	expect(answer.error).toBe(refused);
});

test("where nobody leads in the end it did not happen, unless an earlier leader was lost with it", async () => {
	for (const [first, outcome] of [
		[moved, "did-not-happen"],
		[lost, "unknown"],
	] as const) {
		const { clock, state, askLeader } = begin();
		const answer = watch(askLeader(request(clock.now(), { n1: first })));
		await clock.run(100);
		state.leader = null;
		await clock.run(2_000);
		expect(answer.error).toMatchObject({ code: "NO_LEADER", outcome });
	}
});
