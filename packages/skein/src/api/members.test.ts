// Changing members over HTTP: what is asked of the service, what is answered, and what is refused before it is asked.
import { expect, test } from "vitest";
import type { MembersRequest } from "../node/member-changes.ts";
import { answerOf, startTestApi } from "./testing/test-api.ts";

test("changes are handed on, and the answer names everybody", async () => {
	await using api = await startTestApi();
	const asked: MembersRequest[] = [];
	const changeMembers = api.service.changeMembers.bind(api.service);
	api.service.changeMembers = (request) => {
		asked.push(request);
		return changeMembers(request);
	};
	const changes = [
		{ change: "add", id: "n4", peer: "10.0.0.4:18080" },
		{ change: "move", id: "n2", peer: "[::1]:18080" },
		{ change: "remove", id: "n3" },
		{ change: "add", id: "w1", peer: "10.0.0.5:18080", as: "witness" },
	];
	const answer = await api.post("/cluster/members", { changes, dryRun: true });
	expect(answer.status).toBe(200);
	expect(answer.body["changed"]).toBe(false);
	expect(answer.body["members"]).toMatchObject({ n4: { kind: "voter" } });
	expect(asked).toEqual([
		{ changes: [{ ...changes[0], as: "joining" }, ...changes.slice(1)], confirm: null, dryRun: true },
	]);
	const body = JSON.stringify({ node: "n2", confirm: "writes stop until n2 answers" });
	const removed = await answerOf(await fetch(`${api.url}/cluster/members`, { method: "DELETE", body }));
	expect(removed.status).toBe(200);
	const confirm = "writes stop until n2 answers";
	expect(asked.at(-1)).toEqual({ changes: [{ change: "remove", id: "n2" }], confirm, dryRun: false });
});

test.each([
	["{}", /changes must be a list/],
	['{"changes":[]}', /changes must be a list/],
	['{"changes":[{"change":"add","id":"n4"}]}', /peer must be HOST:PORT/],
	['{"changes":[{"change":"add","id":"n 4","peer":"a:1"}]}', /id must be the id of a node/],
	['{"changes":[{"change":"add","id":"n4","peer":"a:1","as":"king"}]}', /as must be/],
	['{"changes":[{"change":"expel","id":"n4"}]}', /change must be/],
	['{"changes":[{"change":"remove","id":"n4"}],"dryrun":true}', /unknown field "dryrun"/],
	['{"changes":[{"change":"remove","id":"n4"}],"confirm":true}', /confirm must be the sentence/],
	['{"changes":[{"change":"remove","id":"n4"}],"force":true}', /there is no "force".*send that as "confirm"/],
])("%s is refused", async (body, says) => {
	await using api = await startTestApi();
	const answer = await api.post("/cluster/members", body);
	expect([answer.status, answer.body["code"]]).toEqual([400, "BAD_REQUEST"]);
	expect(answer.body["message"]).toMatch(says);
});
