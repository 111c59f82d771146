import { expect, test } from "vitest";
import { parseConsistency } from "./consistency.ts";
import { formatToken, laterOf, parseToken } from "./session-token.ts";

test.each([
	["linearizable", { level: "linearizable" }],
	["eventual", { level: "eventual" }],
	["session", { level: "session", token: { term: 3, index: 42 } }],
	["bounded;max-staleness-ms=250", { level: "bounded", maxStalenessMs: 250 }],
	["bounded; max-staleness-ms=0", { level: "bounded", maxStalenessMs: 0 }],
])("%s", (text, expected) => {
	expect(parseConsistency(text, parseToken("3.42"))).toEqual(expected);
});

test.each([
	"",
	"Session",
	"bounded",
	"bounded;max-staleness-ms=",
	"bounded;max-staleness-ms=-1",
	"bounded;max-staleness-ms=1.5",
	"bounded;max-staleness-ms=1e3",
	"session, session",
])("%j is no level", (text) => {
	expect(() => parseConsistency(text, null)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
});

test.each(["", "3", "3.", ".42", "3.42.1", "03.42", "-1.2", "3.4e2", "3.42, 3.43", "3.9999999999999999"])(
	"%j is no token",
	(text) => {
		expect(() => parseToken(text)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
	},
);

test("tokens", () => {
	expect(formatToken(parseToken("7.1042"))).toBe("7.1042");
	expect(laterOf(null, { term: 1, index: 1 })).toEqual({ term: 1, index: 1 });
	expect(laterOf({ term: 2, index: 9 }, { term: 3, index: 8 })).toEqual({ term: 2, index: 9 });
});
