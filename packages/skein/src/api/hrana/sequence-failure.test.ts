import { expect, test } from "vitest";
import { sequenceFailure } from "./sequence-failure.ts";

const failure = { code: "SQLITE_ERROR", message: 'near "bogus": syntax error', extendedCode: undefined };

test.each([
	[
		"a write before it is kept",
		["insert into t values (1)", "bogus", "insert into t values (2)"],
		true,
		true,
	],
	["so is a change of the schema", ["create table u (x)", "bogus"], true, true],
	["what only reads leaves nothing", ["select 1", "bogus"], true, false],
	["a transaction that is open keeps nothing", ["begin", "insert into t values (1)", "bogus"], false, false],
	["what came before it does", ["insert into t values (1)", "begin", "bogus"], false, true],
	["one that was committed does", ["begin", "insert into t values (1)", "commit", "bogus"], true, true],
	["an earlier request's transaction is open", ["insert into t values (1)", "bogus"], false, false],
] as const)("%s", (_what, statements, autocommit, isKept) => {
	const failed = statements.findIndex((sql) => sql === "bogus");
	const view = sequenceFailure({ statements, failed, failure, autocommit });
	expect(view.outcome).toBe(isKept ? "happened" : "did-not-happen");
	expect(view.message).toContain(`statement ${failed + 1} of ${statements.length} (bogus): near`);
	expect(view.message.includes("is kept")).toBe(isKept);
});
