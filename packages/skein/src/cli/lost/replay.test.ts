// What is made again, when and how often; what is refused, and why. The statements: replay-statements.test.ts.
import { expect, test } from "vitest";
import { SkeinError } from "../../../../client/src/errors.ts";
import { startTestApi, type TestApi } from "../../api/testing/test-api.ts";
import type { LostTransaction } from "../../node/lost-transactions.ts";
import { type Replayed, replay } from "./replay.ts";

const report: LostTransaction = {
	term: 3,
	index: 17,
	certain: true,
	client: "n1/1",
	idempotencyKey: "k",
	wallTimeMs: 0,
	acknowledgement: "async",
	changes: [{ operation: "insert", table: "goose", key: [0], row: [1, "Akka"] }],
	isCut: false,
};

async function apiWith(...statements: readonly string[]): Promise<TestApi> {
	const api = await startTestApi();
	await api.post("/sql", ["CREATE TABLE goose (id INTEGER PRIMARY KEY, name TEXT)", ...statements]);
	return api;
}

/** A session that had seen it is told that it is lost. */
function refuseItsToken(api: TestApi): void {
	const extendedCode = "BAD_REQUEST_SESSION";
	api.service.failNext(new SkeinError("strange", { code: "BAD_REQUEST", extendedCode }));
}

function haveApplied(api: TestApi, ...indexes: readonly (number | null)[]): void {
	const members = Object.fromEntries(
		indexes.map((appliedIndex, number) => [`n${number}`, { appliedIndex, reachable: appliedIndex !== null }]),
	);
	Object.assign(api.service, { cluster: async () => ({ databases: { default: { members } } }) });
}

function replayed(api: TestApi, changed: Partial<LostTransaction> = {}, isThere = true): Promise<Replayed> {
	return replay({
		url: [api.url],
		name: "3-17",
		report: { ...report, ...changed },
		isReported: () => isThere,
	});
}

async function geese(api: TestApi): Promise<unknown> {
	return (await api.post("/sql", { sql: "SELECT * FROM goose" })).body["rows"];
}

test("it is made again under the key of the request, or one of its own, for good", async () => {
	for (const [idempotencyKey, used] of [
		["k", "k"],
		[null, "skein lost 3-17"],
	] as const) {
		await using api = await apiWith();
		refuseItsToken(api);
		expect(await replayed(api, { idempotencyKey })).toBe("replayed");
		const { options } = api.service.programs.at(-1) ?? {};
		expect(options).toMatchObject({ idempotencyKey: used, acknowledgement: { mode: "quorum" } });
		expect(await geese(api)).toEqual([[1, "Akka"]]);
		expect(api.service.programs[1]?.options.consistency).toEqual({
			level: "session",
			token: { term: 3, index: 17 },
		});
	}
});

test("only what is lost for good: its token is refused, or all members are beyond it and report it still", async () => {
	await using api = await apiWith();
	await expect(replayed(api)).rejects.toThrow(/not sure yet that 3-17 is lost/);
	haveApplied(api, 17, 16);
	await expect(replayed(api)).rejects.toThrow(/not sure yet/);
	haveApplied(api, 17, null);
	await expect(replayed(api)).rejects.toThrow(/not sure yet/);
	haveApplied(api, 17, 18);
	await expect(replayed(api, {}, false)).rejects.toThrow(/not sure yet/);
	await expect(replayed(api, { certain: false })).rejects.toThrow(/may have been committed/);
	expect(await geese(api)).toEqual([]);
	expect(await replayed(api)).toBe("replayed");
	expect(await geese(api)).toEqual([[1, "Akka"]]);
	refuseItsToken(api);
	expect(await replayed(api, { certain: false })).toBe("replayed");
});

test.each([
	["a report of a part", [], { isCut: true }, /in part only/],
	[
		"a trigger",
		["CREATE TRIGGER after_goose AFTER INSERT ON goose BEGIN SELECT 1; END"],
		{},
		/trigger after_goose/,
	],
	["another row there", ["INSERT INTO goose VALUES (1, 'Yksi')"], {}, /UNIQUE constraint failed: goose.id/],
	[
		"a row that was changed",
		["INSERT INTO goose VALUES (1, 'Yksi')"],
		{ changes: [{ operation: "delete", table: "goose", key: [0], row: [1, "Akka"] }] },
		/a row that 3-17 changed was changed since/,
	],
] as const)("nothing is made again: %s", async (_, statements, changed, says) => {
	await using api = await apiWith(...statements);
	haveApplied(api, 20);
	const before = await geese(api);
	await expect(replayed(api, changed)).rejects.toThrow(says);
	expect(await geese(api)).toEqual(before);
});
