/** Every text in testdata must come out as it is written there. UPDATE_SCENARIOS=1 writes it anew. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runScenario } from "./testing/scenario.ts";

const folder = join(import.meta.dirname, "testdata");
const isUpdate = process.env["UPDATE_SCENARIOS"] === "1";

for (const name of readdirSync(folder).sort()) {
	test(name, () => {
		const path = join(folder, name);
		const written = readFileSync(path, "utf8");
		const now = runScenario(written);
		if (isUpdate && now !== written) writeFileSync(path, now);
		else expect(now).toBe(written);
		expect(now).not.toMatch(/^failed:/m);
	});
}
