import * as fc from "fast-check";
import { expect, test } from "vitest";
import { utf8Bytes } from "./result-size.ts";

test("text weighs what its UTF-8 does, halves of pairs included", () => {
	const halves = ["\ud800", "\udbff", "\udc00", "\udfff", "a", "é", "€", "\u{1f9f5}"];
	const texts = fc.array(fc.constantFrom(...halves)).map((all) => all.join(""));
	fc.assert(
		fc.property(texts, (text) => {
			expect(utf8Bytes(text)).toBe(Buffer.byteLength(text));
		}),
	);
});
