import fc from "fast-check";
import { expect, test } from "vitest";
import { readScript, type ScriptStatement } from "./script-reader.ts";

const script = `select 1; select 2;
-- a comment; with a semicolon
/* and
another */ select
	'3;
';

select 4; select 5`;

const expected = [
	[1, 1, "select 1;"],
	[2, 1, "select 2;"],
	[3, 4, "select\n\t'3;\n';"],
	[4, 8, "select 4;"],
	[5, 8, "select 5"],
];

test("statements know the line on which they begin, however the text arrives", async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(fc.nat(40)), async (lengths) => {
			const chunks: string[] = [];
			let from = 0;
			for (const length of lengths) {
				chunks.push(script.slice(from, from + length));
				from += length;
			}
			chunks.push(script.slice(from));
			const read: ScriptStatement[] = [];
			for await (const statement of readScript(chunks)) read.push(statement);
			expect(read.map(({ number, line, text }) => [number, line, text.trim()])).toEqual(expected);
		}),
	);
});
