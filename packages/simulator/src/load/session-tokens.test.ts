import { expect, test } from "vitest";
import { createSessionTokens } from "./session-tokens.ts";

test("only a session whose token may be lost can be told that it is, and begins anew without it", () => {
	const sessions = createSessionTokens("c1", 2);
	expect(sessions.refused(0)).toBe(null);
	sessions.answered(0, { term: 2, index: 7 }, true);
	sessions.answered(0, { term: 2, index: 5 }, false);
	expect(sessions.token(0)).toEqual({ term: 2, index: 7 });
	sessions.answered(1, { term: 2, index: 7 }, true);
	sessions.answered(1, { term: 2, index: 8 }, false);
	expect(sessions.refused(1)).toBe(null);
	expect(sessions.name(0)).toBe("c1/0");
	expect(sessions.refused(0)).toEqual({ term: 2, index: 7 });
	expect(sessions.token(0)).toBe(null);
	expect(sessions.name(0)).not.toBe("c1/0");
	expect(sessions.name(1)).toBe("c1/1");
});
