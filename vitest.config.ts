import { defineConfig } from "vitest/config";
import { closingLine } from "./tools/closing-line.ts";

/** They say how long something may take, or that nobody is deposed meanwhile: one cluster at a time. */
const measuring = [
	"test/limits.test.ts",
	"test/long-query.test.ts",
	"test/sync.test.ts",
	"test/slow-follower.test.ts",
	"test/kill-follower.test.ts",
	"test/cut-connections.test.ts",
];

export default defineConfig({
	test: {
		// The second prints the closing line that CI looks for.
		reporters: [process.env["CI"] === undefined ? "default" : "verbose", closingLine],
		projects: [
			{
				test: {
					name: "unit",
					include: ["packages/*/src/**/*.test.ts", "tools/**/*.test.ts"],
					isolate: false,
					// By default there is one less than cores: of two, one would rest.
					maxWorkers: "100%",
					sequence: { groupOrder: 0 },
					testTimeout: 30_000,
				},
			},
			{
				test: {
					name: "cluster",
					include: ["test/**/*.test.ts"],
					exclude: measuring,
					// Mostly they wait.
					maxWorkers: 2,
					sequence: { groupOrder: 1 },
					testTimeout: 120_000,
					hookTimeout: 120_000,
				},
			},
			{
				test: {
					name: "cluster-alone",
					include: measuring,
					fileParallelism: false,
					sequence: { groupOrder: 2 },
					testTimeout: 120_000,
					hookTimeout: 120_000,
				},
			},
		],
	},
});
