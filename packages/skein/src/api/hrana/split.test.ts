import { expect, test } from "vitest";
import { splitStatements } from "./split.ts";

test.each([
	["", []],
	[" ; ;; -- only a comment;\n /* ; */", []],
	["SELECT 1", ["SELECT 1"]],
	["SELECT ';' ; SELECT \";\", `;`, [;] ;", ["SELECT ';'", 'SELECT ";", `;`, [;]']],
	["SELECT 'it''s;'; SELECT 2", ["SELECT 'it''s;'", "SELECT 2"]],
	["SELECT 1 -- a;\n; SELECT 2", ["SELECT 1 -- a;", "SELECT 2"]],
	["BEGIN; INSERT INTO t VALUES (1); END", ["BEGIN", "INSERT INTO t VALUES (1)", "END"]],
	[
		"CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; END; SELECT 1",
		["CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; END", "SELECT 1"],
	],
	["CREATE TABLE trigger_log (a); SELECT 1", ["CREATE TABLE trigger_log (a)", "SELECT 1"]],
	["SELECT 'never closed; SELECT 2", ["SELECT 'never closed; SELECT 2"]],
])("%j", (sql, statements) => {
	expect(splitStatements(sql)).toEqual(statements);
});
