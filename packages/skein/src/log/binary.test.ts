import { expect, test } from "vitest";
import { getUint64, putUint64, viewOf } from "./binary.ts";

test.each([0, 1, 255, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER])(
	"%i is eight bytes, the least first",
	(value) => {
		const view = viewOf(new Uint8Array(16).subarray(3));
		putUint64(view, 2, value);
		expect(view.getBigUint64(2, true)).toBe(BigInt(value));
		expect(getUint64(view, 2)).toBe(value);
	},
);

test.each([-1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])("%d is not written", (value) => {
	expect(() => putUint64(viewOf(new Uint8Array(8)), 0, value)).toThrow(RangeError);
});
