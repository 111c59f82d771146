// Leader and followers end equal whatever SQL runs: a few hundred random statements from each of some seeds.
// `npm run sql:random -- --seconds N --seed S` goes on from here for as long as one likes.
import { describe, expect, test } from "vitest";
import { randomSql } from "../testing/random-sql.ts";
import { formatPlans } from "../testing/random-sql-members.ts";
import { firstOf, runSeed, streams } from "../testing/random-sql-report.ts";
import { shrink } from "../testing/random-sql-shrink.ts";

const cases = formatPlans.flatMap((format) => streams.map((stream) => ({ format, stream })));

describe.each(cases)("$format, $stream", ({ format, stream }) => {
	test.each([1, 2, 3, 4, 5, 6])("seed %i", (seed) => {
		// A third of it in each format: as many in the format statement as the plan of that format alone asks for.
		const statements = format === "mixed" ? 400 : 250;
		const outcome = runSeed({ seed, stream, statements, format, shrinkMs: 10_000 });
		expect(outcome.report ?? "equal").toBe("equal");
		expect(outcome.statements).toBe(statements);
		// A stream of which SQLite refuses everything tests nothing, nor one of which all is logged as rows.
		expect(outcome.payloads).toBeGreaterThan(20);
		if (format === "row" || format === "wal") expect(outcome.loggedStatements).toBe(0);
		else if (stream === "calm") expect(outcome.loggedStatements).toBeGreaterThan(10);
	});
});

test("one seed gives one stream, another seed another", () => {
	const stream = (seed: number): string => JSON.stringify([...firstOf(seed, 300)]);
	expect(stream(7)).toBe(stream(7));
	expect(stream(7)).not.toBe(stream(8));
});

test("all that the generator is there for turns up", () => {
	const text = [1, 2, 3, 4, 5, 6].flatMap((seed) => [...firstOf(seed, 400)].map(({ sql }) => sql)).join("\n");
	const wanted =
		/WITHOUT ROWID|STRICT|AUTOINCREMENT|STORED|VIRTUAL|CHECK|UNIQUE INDEX|FOREIGN KEY|DEFERRABLE|ON CONFLICT \(|DO NOTHING|INSTEAD OF|BEFORE|RAISE|fts5|rtree|OR IGNORE|OR REPLACE|OR FAIL|OR ABORT|OR ROLLBACK|DEFAULT VALUES|RETURNING|RECURSIVE|UPDATE \S+ SET \S+ = o.x FROM|SAVEPOINT|RELEASE|ROLLBACK TO|DROP COLUMN|ADD COLUMN|RENAME TO|RENAME COLUMN|DROP TABLE|DROP view|DROP trigger|DROP index|AS SELECT|user_version|random\(\)|datetime|randomblob|last_insert_rowid|changes\(\)|9223372036854775807|-0\.0|-9e999|char\(0\)|REINDEX|sqlite_sequence|defer_foreign_keys/g;
	const found = new Set(
		[...text.matchAll(wanted)].map(([match]) => match.replace(/UPDATE .*/, "UPDATE FROM")),
	);
	const alternatives = wanted.source.split("|").length;
	expect([...found].toSorted()).toHaveLength(alternatives);
});

test("shrinking leaves what the failure needs, and nothing else", () => {
	const items = [...firstOf(1, 120)].map((_, place) => place);
	const fails = (left: readonly number[]): boolean => [7, 50, 51, 119].every((one) => left.includes(one));
	expect(shrink(items, fails, () => false)).toEqual([7, 50, 51, 119]);
	expect(randomSql(1).next().value.sql).toMatch(/^CREATE TABLE/);
});
