/** Answers that wait for the log: each ends once, or is let go, and then nothing of it is held. */
import { expect, test } from "vitest";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { createCluster, insert, program, request, watch } from "./testing/cluster.ts";
import { createWaitingAnswers, type WaitingAnswer } from "./waiting-answers.ts";

const both: Acknowledgement = { mode: "semi-sync", followers: 2 };

test("each ends once, when its time has come or with the leadership; what was let go does not end", () => {
	const seen: string[] = [];
	const waiting = createWaitingAnswers({
		onForsaken: (index, term, waiter) => void seen.push(`${term}.${index} ${waiter} forsaken`),
	});
	const answer = (name: string, index: number, term = 2): WaitingAnswer => ({
		index,
		term,
		sizeBytes: 10,
		end: (met) => void seen.push(`${name} ${met}`),
	});
	const letGo = waiting.whenAcknowledged(answer("a", 5));
	const letOtherGo = waiting.whenAcknowledged(answer("b", 5));
	waiting.whenAcknowledged(answer("c", 6));
	waiting.whenAcknowledged(answer("d", 7, 3));
	const letCommittedGo = waiting.whenCommitted(answer("e", 5));
	waiting.whenCommitted(answer("f", 6));
	expect(waiting.sizeBytes).toBe(60);
	letGo();
	letGo();
	letCommittedGo();
	expect([seen, waiting.sizeBytes, waiting.isAwaited(5, null)]).toEqual([[], 40, true]);
	letOtherGo();
	expect([seen.splice(0), waiting.isAwaited(5, null)]).toEqual([["2.5 null forsaken"], false]);
	waiting.onAcknowledged(5);
	waiting.onAcknowledged(6);
	waiting.onCommit(6);
	expect(seen.splice(0)).toEqual(["c true", "f true"]);
	waiting.onTerm(3);
	expect(seen).toEqual([]);
	waiting.onTerm(null);
	expect([seen, waiting.sizeBytes]).toEqual([["d false"], 0]);
});

test("what waits by number is apart from the proposal that ends at the same index", () => {
	const seen: string[] = [];
	const waiting = createWaitingAnswers({
		onForsaken: (index, term, waiter) => void seen.push(`${term}.${index} ${waiter} forsaken`),
	});
	const answer = (name: string, term = 2): WaitingAnswer => ({
		index: 5,
		term,
		sizeBytes: 10,
		end: (met) => void seen.push(`${name} ${met}`),
	});
	waiting.whenAcknowledged(answer("a"));
	const letGo = waiting.whenAwaited(1, answer("b"));
	waiting.whenAwaited(2, answer("c"));
	waiting.whenAwaited(3, answer("d", 3));
	letGo();
	expect(seen.splice(0)).toEqual(["2.5 1 forsaken"]);
	expect([waiting.sizeBytes, waiting.isAwaited(5, null), waiting.isAwaited(5, 1)]).toEqual([30, true, false]);
	waiting.onAwaited(2);
	waiting.onAwaited(5);
	expect(seen.splice(0)).toEqual(["c true"]);
	waiting.onTerm(2);
	waiting.onAcknowledged(5);
	expect([seen, waiting.sizeBytes]).toEqual([["d false", "a true"], 0]);
});

test("a client whose time is over leaves nothing behind at the leader, whichever node it asked", async () => {
	const cluster = await createCluster({ size: 3, seed: 6 });
	const leader = await cluster.leader();
	const [follower, away] = cluster.members.filter((member) => member !== leader);
	cluster.network.cut(away?.id ?? "", true);
	await cluster.clock.run(100);
	const writes = [leader, follower].map((member) =>
		watch(
			member?.node?.service.openStream().run(program(insert("x")), {
				...request,
				timeoutMs: 400,
				acknowledgement: both,
			}) ?? Promise.reject(new Error("not running")),
		),
	);
	await cluster.clock.run(200);
	expect(leader.node?.core.unacknowledgedBy(both)).toBeGreaterThan(0);
	await cluster.clock.run(600);
	for (const { error } of writes) expect(error).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
	expect(leader.node?.core.unacknowledgedBy(both)).toBe(0);
	expect(leader.file.content.items).toEqual(["x", "x"]);
});
