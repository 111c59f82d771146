import { defineConfig } from "vitest/config";
import { closingLine } from "./tools/closing-line.ts";

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
					testTimeout: 30_000,
				},
			},
			{
				test: {
					name: "cluster",
					include: ["test/**/*.test.ts"],
					fileParallelism: false,
					testTimeout: 120_000,
					hookTimeout: 120_000,
				},
			},
		],
	},
});
