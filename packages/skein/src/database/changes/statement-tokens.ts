/** The tokens of a statement, for those who look at its shape. */
import { nextToken, type PlacedToken } from "../sql-tokens.ts";
import { foldName } from "../statement-sight.ts";

export type { PlacedToken } from "../sql-tokens.ts";

export function tokensOf(sql: string): PlacedToken[] {
	const tokens: PlacedToken[] = [];
	for (let token = nextToken(sql, 0); token !== null; token = nextToken(sql, token.end)) tokens.push(token);
	return tokens;
}

export function isWord(token: PlacedToken | undefined, ...words: readonly string[]): boolean {
	return token?.type === "word" && words.includes(token.text);
}

export function isSign(token: PlacedToken | undefined, sign: string): boolean {
	return token?.type === "punctuation" && token.text === sign;
}

/** The place behind the parenthesis that closes the one at `open`. */
export function behindParentheses(tokens: readonly PlacedToken[], open: number): number {
	let depth = 0;
	for (let place = open; place < tokens.length; place++) {
		if (isSign(tokens[place], "(")) depth++;
		else if (isSign(tokens[place], ")") && --depth === 0) return place + 1;
	}
	return tokens.length;
}

/** Whether a token may be this name: a word, quoted, or a string where a name must stand. */
export function isName(token: PlacedToken | undefined, name: string): boolean {
	return token !== undefined && token.type !== "punctuation" && foldName(token.text) === foldName(name);
}
