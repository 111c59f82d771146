// What an operator asks over HTTP: what reaches the service, and what is refused before it is asked.
import { expect, test } from "vitest";
import { startTestApi } from "./testing/test-api.ts";

test("stepping down, pausing elections, rehearsing a transfer", async () => {
	await using api = await startTestApi();
	const asked: unknown[] = [];
	const { service } = api;
	const stepDown = service.stepDown.bind(service);
	const pauseElections = service.pauseElections.bind(service);
	const transfer = service.transfer.bind(service);
	service.stepDown = (request) => {
		asked.push(request);
		return stepDown(request);
	};
	service.pauseElections = (request) => {
		asked.push(request);
		return pauseElections(request);
	};
	service.transfer = (to, dryRun) => {
		asked.push({ to, dryRun });
		return transfer(to, dryRun);
	};
	const stepped = await api.post("/cluster/step-down", { term: 7, restMs: 10, confirm: "a", dryRun: true });
	expect([stepped.status, stepped.body["changed"]]).toEqual([200, false]);
	await api.post("/cluster/step-down", {});
	const paused = await api.post("/cluster/elections", { pausedForMs: 1_000 });
	expect(paused.body).toMatchObject({ changed: true, pausedForMs: 1_000, notTold: ["n2"] });
	await api.post("/cluster/elections", { pausedForMs: 0, dryRun: true });
	expect((await api.post("/cluster/transfer", { to: "n3", dryRun: true })).body["changed"]).toBe(false);
	expect(asked).toEqual([
		{ term: 7, restMs: 10, confirm: "a", dryRun: true },
		{ term: null, restMs: 60_000, confirm: null, dryRun: false },
		{ forMs: 1_000, confirm: null, dryRun: false },
		{ forMs: 0, confirm: null, dryRun: true },
		{ to: "n3", dryRun: true },
	]);
});

test("choosing the elector, and telling a node to stand", async () => {
	await using api = await startTestApi();
	expect((await api.post("/cluster/elector", { elector: "bully" })).body).toEqual({
		changed: true,
		elector: "bully",
	});
	const rehearsed = await api.post("/cluster/elector", { elector: "raft", dryRun: true });
	expect(rehearsed.body).toEqual({ changed: false, elector: "raft" });
	expect((await api.post("/cluster/stand", { node: "n3" })).body).toEqual({ changed: true, leader: "n3" });
	expect((await api.post("/cluster/stand", { dryRun: true })).body["changed"]).toBe(false);
});

test.each([
	["/cluster/elections", "{}", /pausedForMs is missing/],
	["/cluster/elections", '{"pausedForMs":-1}', /pausedForMs must be a whole number/],
	["/cluster/elections", '{"pausedForMs":86400001}', /from 0 to 86400000/],
	["/cluster/elections", '{"pauseForMs":1}', /unknown field "pauseForMs"/],
	["/cluster/step-down", '{"term":"7"}', /term must be a whole number/],
	["/cluster/step-down", '{"confirm":7}', /confirm must be the sentence/],
	["/cluster/step-down", '{"node":7}', /node must be the id of a node/],
	["/cluster/transfer", '{"to":"n3","dryRun":1}', /dryRun must be true or false/],
	["/cluster/elector", "{}", /elector must be one of raft, /],
	["/cluster/elector", '{"elector":"paxi"}', /elector must be one of raft, /],
	["/cluster/elector", '{"name":"raft"}', /unknown field "name"/],
	["/cluster/stand", '{"node":7}', /node must be the id of a node/],
])("%s %s is refused", async (path, body, says) => {
	await using api = await startTestApi();
	const answer = await api.post(path, body);
	expect([answer.status, answer.body["code"]]).toEqual([400, "BAD_REQUEST"]);
	expect(answer.body["message"]).toMatch(says);
});
