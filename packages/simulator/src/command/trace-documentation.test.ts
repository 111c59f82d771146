/** DESIGN.md says what every event of the trace means: whoever adds one, or a field, meets this. */
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { registersProfile } from "../machine/store.ts";
import { simulate } from "../run/simulate.ts";
import { headOf } from "../trace/message-head.ts";
import { createSettle } from "./settle.ts";

const design = readFileSync(new URL("../../DESIGN.md", import.meta.url), "utf8");
const everywhere = new Set(["at", "type", ...Object.keys(headOf(new Uint8Array(64)))]);

test("every event that happens is documented with its fields", async () => {
	const fields = new Map<string, Set<string>>();
	for (let seed = 1; seed <= 12; seed++) {
		await simulate(
			seed,
			registersProfile(createSettle(), crc32),
			{ seconds: 4 },
			{
				listener(event) {
					const known = fields.get(event.type) ?? new Set();
					fields.set(event.type, known);
					for (const name of Object.keys(event)) if (!everywhere.has(name)) known.add(name);
				},
			},
		);
	}
	expect(fields.size).toBeGreaterThan(25);
	const rows = design.split("\n").filter((line) => line.startsWith("| `"));
	const missing = [...fields].flatMap(([type, names]) => {
		const row = rows.find((line) => line.split(" | ")[0]?.includes(`\`${type}\``));
		if (row === undefined) return [type];
		return [...names].filter((name) => !row.includes(name)).map((name) => `${type}.${name}`);
	});
	expect(missing).toEqual([]);
});
