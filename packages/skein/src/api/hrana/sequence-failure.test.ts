import { expect, test } from "vitest";
import { type FailedSequence, sequenceFailure } from "./sequence-failure.ts";

const failure = { code: "SQLITE_ERROR", message: 'near "bogus": syntax error', extendedCode: undefined };
const insert = "insert into t values (1)";

type Case = readonly [
	what: string,
	before: readonly string[],
	began: FailedSequence["began"],
	outcome: string,
];

const cases: readonly Case[] = [
	["a write before it is kept", [insert], "outside", "happened"],
	["so is a change of the schema", ["create table u (x)"], "outside", "happened"],
	["what only reads leaves nothing", ["select 1"], "uncertain", "did-not-happen"],
	["a transaction that is open keeps nothing", ["begin", insert], "outside", "did-not-happen"],
	["what came before it is kept", [insert, "begin", insert], "outside", "happened"],
	["before a savepoint too", [insert, "savepoint a", insert], "outside", "happened"],
	["one that was committed: look", ["begin", insert, "commit"], "outside", "unknown"],
	["one that was rolled back: look", ["begin", insert, "rollback"], "outside", "unknown"],
	["an earlier request's transaction is open", [insert], "inside", "did-not-happen"],
	["and was ended here: look", [insert, "commit"], "inside", "unknown"],
	["an earlier request may have begun one: look", [insert], "uncertain", "unknown"],
];

test.each(cases)("%s", (_what, before, began, outcome) => {
	const statements = [...before, "bogus", insert];
	const view = sequenceFailure({ statements, failed: before.length, failure, began });
	expect(view.outcome).toBe(outcome);
	expect(view.message).toContain(`statement ${before.length + 1} of ${statements.length} (bogus): near`);
	expect(/kept/.test(view.message)).toBe(outcome !== "did-not-happen");
});
