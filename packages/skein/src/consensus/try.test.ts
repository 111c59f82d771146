import { test } from "vitest";
import { runSeed } from "./testing/random-run.ts";

test("x", () => {
	const sum: Record<string, number> = {};
	const sizes = (process.env["SIZES"] ?? "1,2,3,4,5").split(",").map(Number);
	let bad = 0;
	for (const size of sizes)
		for (let seed = Number(process.env["FROM"] ?? 1); seed <= Number(process.env["N"] ?? 20); seed++) {
			if (process.env["CHAIN"] && seed % 3 !== 0) continue;
			try {
				const c = runSeed(seed, size, 6_500, Number(process.env["CH"] ?? 0));
				if (seed % 3 !== 0) continue;
				for (const [k, v] of Object.entries({
					committed: c.committedIndex,
					chain: c.chainDone,
					tail: c.readsByTail,
					others: c.readsByOthers,
					reads: c.readsDone,
				}))
					sum[`${size} ${k}`] = (sum[`${size} ${k}`] ?? 0) + v;
			} catch (e) {
				if (bad++ > 4) break;
				const err = e as Error;
				console.log(
					err.message,
					String((err.cause as Error)?.stack)
						.split("\n")
						.slice(0, 7)
						.join("\n"),
				);
			}
		}
	console.log(sum);
}, 1e9);
