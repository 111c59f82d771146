import fc from "fast-check";
import { expect, test } from "vitest";
import { cutStatements } from "./statement-reader.ts";

interface Case {
	readonly text: string;
	readonly statements: readonly string[];
	readonly rest: string;
}

const trigger = "create trigger t after insert on a begin delete from b; insert into c values (';'); end;";
const cases: readonly Case[] = [
	{ text: "select 1; select 2;", statements: ["select 1;", "select 2;"], rest: "" },
	{ text: "select 1", statements: [], rest: "select 1" },
	{ text: "select ';'; x", statements: ["select ';';"], rest: "x" },
	{ text: "select 'it''s;';", statements: ["select 'it''s;';"], rest: "" },
	{ text: "select 'open; ", statements: [], rest: "select 'open; " },
	{ text: 'select "a;b", [c;d], `e;f`;', statements: ['select "a;b", [c;d], `e;f`;'], rest: "" },
	{ text: "select 1 -- one; two\n;", statements: ["select 1 -- one; two\n;"], rest: "" },
	{ text: "/* a; b */ select 1;", statements: ["select 1;"], rest: "" },
	{ text: "select 1; -- done", statements: ["select 1;"], rest: " -- done" },
	{ text: "select 1; -- done\n", statements: ["select 1;"], rest: "" },
	{ text: "/* open; ", statements: [], rest: "/* open; " },
	{ text: ";;;", statements: [], rest: "" },
	{ text: `${trigger} select 1;`, statements: [trigger, "select 1;"], rest: "" },
	{ text: trigger.slice(0, -5), statements: [], rest: trigger.slice(0, -5) },
	{
		text: "create temp trigger t begin select 1; end; s",
		statements: ["create temp trigger t begin select 1; end;"],
		rest: "s",
	},
	{ text: "select 4/2, 3-1;", statements: ["select 4/2, 3-1;"], rest: "" },
];

test.each(cases)("$text", ({ text, statements, rest }) => {
	expect(cutStatements(text)).toEqual({ statements, rest });
});

test("text that arrives in pieces is cut like text that arrives whole", () => {
	const script = cases.map((one) => one.text).filter((text) => cutStatements(text).rest === "");
	fc.assert(
		fc.property(
			fc.array(fc.constantFrom(...script), { maxLength: 6 }),
			fc.array(fc.nat(60)),
			(parts, cuts) => {
				const text = parts.join("\n");
				const collected: string[] = [];
				let pending = "";
				let position = 0;
				for (const length of [...cuts, text.length]) {
					const cut = cutStatements(pending + text.slice(position, position + length));
					position += length;
					collected.push(...cut.statements);
					pending = cut.rest;
				}
				expect(collected).toEqual(cutStatements(text).statements);
			},
		),
		{ numRuns: 200 },
	);
});
