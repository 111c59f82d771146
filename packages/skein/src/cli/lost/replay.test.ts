// What is made again, when and how often; what is refused, and why. The statements: replay-statements.test.ts.
import { expect, test } from "vitest";
import { SkeinError } from "../../../../client/src/errors.ts";
import { startTestApi, type TestApi } from "../../api/testing/test-api.ts";
import { ownSchema } from "../../database/own-tables.ts";
import type { LostTransaction } from "../../node/lost-transactions.ts";
import { type Replayed, replay } from "./replay.ts";

const report: LostTransaction = {
	term: 3,
	index: 17,
	clusterId: "test",
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
	// Skein's own tables, as the node has them.
	const own = ownSchema
		.replaceAll(/--.*/g, "")
		.split(";")
		.filter((one) => one.trim() !== "");
	await api.post("/sql", [...own, "CREATE TABLE goose (id INTEGER PRIMARY KEY, name TEXT)", ...statements]);
	return api;
}

/** A session that had seen it is told that it is lost. */
function refuseItsToken(api: TestApi): void {
	const extendedCode = "BAD_REQUEST_SESSION";
	const { service } = api;
	const open = service.openStream.bind(service);
	Object.assign(service, {
		openStream() {
			const stream = open();
			const run = stream.run.bind(stream);
			stream.run = (program, options) => {
				if (options.consistency.level !== "session") return run(program, options);
				throw new SkeinError("strange", { code: "BAD_REQUEST", extendedCode });
			};
			return stream;
		},
	});
}

function haveApplied(api: TestApi, ...indexes: readonly (number | null)[]): void {
	const members = Object.fromEntries(
		indexes.map((appliedIndex, number) => [`n${number}`, { appliedIndex, reachable: appliedIndex !== null }]),
	);
	Object.assign(api.service, {
		cluster: async () => ({ cluster: "test", databases: { default: { members } } }),
	});
}

function replayed(
	api: TestApi,
	changed: Partial<LostTransaction> = {},
	{ isThere = true, force = false }: { readonly isThere?: boolean; readonly force?: boolean } = {},
): Promise<Replayed> {
	return replay({
		url: [api.url],
		name: "3-17",
		report: { ...report, ...changed },
		isReported: () => isThere,
		force,
	});
}

async function geese(api: TestApi): Promise<unknown> {
	return (await api.post("/sql", { sql: "SELECT * FROM goose" })).body["rows"];
}

test("it is made again under the key of the request, or one of its own, for good", async () => {
	for (const [idempotencyKey, used] of [
		["k", "k"],
		[null, expect.stringMatching(/^skein lost 3-17 2/)],
	] as const) {
		await using api = await apiWith();
		haveApplied(api, 17);
		expect(await replayed(api, { idempotencyKey })).toBe("replayed");
		const { options } = api.service.programs.at(-1) ?? {};
		expect(options).toMatchObject({ idempotencyKey: used, acknowledgement: { mode: "quorum" } });
		expect(await geese(api)).toEqual([[1, "Akka"]]);
		expect(api.service.programs[2]?.options.consistency).toEqual({
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
	await expect(replayed(api, {}, { isThere: false })).rejects.toThrow(/not sure yet/);
	await expect(replayed(api, { certain: false })).rejects.toThrow(/may have been committed/);
	expect(await geese(api)).toEqual([]);
	expect(await replayed(api)).toBe("replayed");
	expect(await geese(api)).toEqual([[1, "Akka"]]);
});

test("what may have been committed is made again only if its token is refused", async () => {
	await using api = await apiWith();
	refuseItsToken(api);
	expect(await replayed(api, { certain: false })).toBe("replayed");
});

/** Outcomes that are kept, by number and time; of other requests. */
function keep(...outcomes: readonly (readonly [number, number])[]): string[] {
	return outcomes.map(
		([number, atMs]) => `INSERT INTO skein_requests VALUES (${number}, 'of ${number}', ${atMs}, '')`,
	);
}

test("once for good: not even where its row and its key are gone", async () => {
	await using api = await apiWith();
	haveApplied(api, 17);
	for (const idempotencyKey of ["k", null, "k\n1"]) {
		const changed = { idempotencyKey, client: `n1/${idempotencyKey}` };
		expect(await replayed(api, changed, { force: true })).toBe("replayed");
		await api.post("/sql", ["DELETE FROM goose", "DELETE FROM skein_requests"]);
		expect(await replayed(api, changed, { force: true })).toBe("replayed before");
		expect(await geese(api)).toEqual([]);
	}
});

const hourMs = 3_600_000;

const hoursAgo = (hours: number): Partial<LostTransaction> => ({ wallTimeMs: Date.now() - hours * hourMs });

// The clock of the outcomes has no date: all that counts is how much it has passed.
test.each([
	["they went by number", keep([2, 7 * hourMs], [3, 8 * hourMs]), 2],
	["they went by age", keep([1, 0], [2, 24 * hourMs]), 24],
] as const)("whether its client sent it again is not known: %s", async (_, statements, hours) => {
	await using api = await apiWith(...statements);
	haveApplied(api, 17);
	const changed = hoursAgo(hours);
	await expect(replayed(api, changed)).rejects.toThrow(/no longer known/);
	expect(await geese(api)).toEqual([]);
	expect(await replayed(api, { ...changed, idempotencyKey: null })).toBe("replayed");
	await api.post("/sql", ["DELETE FROM goose", "DELETE FROM skein_replays"]);
	expect(await replayed(api, changed, { force: true })).toBe("replayed");
});

test.each([
	["one from before is here", keep([2, 5 * hourMs], [3, 8 * hourMs]), 2],
	["the first is here", keep([1, 7 * hourMs], [2, 8 * hourMs]), 2],
	["none was ever kept", [], 100],
] as const)("its client did not send it again: %s", async (_, statements, hours) => {
	await using api = await apiWith(...statements);
	haveApplied(api, 17);
	expect(await replayed(api, hoursAgo(hours))).toBe("replayed");
});

test("its client sent it again: nothing happens", async () => {
	await using api = await apiWith("INSERT INTO skein_requests VALUES (1, 'k', 5, '')");
	haveApplied(api, 17);
	expect(await replayed(api)).toBe("sent again");
	expect(await geese(api)).toEqual([]);
});

test("a later part of a request, whose key no request can have, is made again by force only", async () => {
	await using api = await apiWith();
	haveApplied(api, 17);
	await expect(replayed(api, { idempotencyKey: "k\n1" })).rejects.toThrow(/later part of a request/);
	expect(await replayed(api, { idempotencyKey: "k\npart 1" }, { force: true })).toBe("replayed");
	expect(api.service.programs.at(-1)?.options.idempotencyKey).toMatch(/^skein lost 3-17 2/);
});

test("a trigger that comes in between is seen", async () => {
	await using api = await apiWith();
	haveApplied(api, 17);
	const trigger = "CREATE TRIGGER late AFTER INSERT ON goose BEGIN DELETE FROM goose; END";
	const { service } = api;
	const open = service.openStream.bind(service);
	Object.assign(service, {
		openStream() {
			const stream = open();
			const run = stream.run.bind(stream);
			stream.run = async (program, options) => {
				const answer = await run(program, options);
				// Right behind the look at the schema.
				if (program.steps[0]?.statement.sql.includes("FROM sqlite_schema") === true)
					await api.post("/sql", [trigger]);
				return answer;
			};
			return stream;
		},
	});
	await expect(replayed(api)).rejects.toThrow(/schema was changed meanwhile/);
	expect(await geese(api)).toEqual([]);
});

test("another cluster, whose nodes do not know the token either, is not written to", async () => {
	await using api = await apiWith();
	refuseItsToken(api);
	for (const force of [false, true])
		await expect(replayed(api, { clusterId: "another" }, { force })).rejects.toThrow(
			/is of the cluster test, and 3-17 was lost in another/,
		);
	const { clusterId: _, ...old } = report;
	const options = { url: [api.url], name: "3-17", report: old as LostTransaction, isReported: () => true };
	await expect(replay({ ...options, force: false })).rejects.toThrow(/does not say which cluster/);
	expect(await geese(api)).toEqual([]);
	expect(await replay({ ...options, force: true })).toBe("replayed");
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
	[
		"a child that came since",
		[
			"CREATE TABLE egg (id INTEGER PRIMARY KEY, goose REFERENCES goose ON DELETE CASCADE)",
			"INSERT INTO goose VALUES (1, 'Akka')",
			"INSERT INTO egg VALUES (1, 1)",
		],
		{ changes: [{ operation: "delete", table: "goose", key: [0], row: [1, "Akka"] }] },
		/rows of egg that 3-17 did not know refer to/,
	],
] as const)("nothing is made again: %s", async (_, statements, changed, says) => {
	await using api = await apiWith(...statements);
	haveApplied(api, 20);
	const before = await geese(api);
	await expect(replayed(api, changed)).rejects.toThrow(says);
	expect(await geese(api)).toEqual(before);
	// What fails under the client's key would use it up.
	expect(api.service.programs.some(({ options }) => options.idempotencyKey === "k")).toBe(false);
});
