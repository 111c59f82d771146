import { defineConfig } from "vitest/config";

export default defineConfig({
	test: {
		projects: [
			{
				test: {
					name: "unit",
					include: ["packages/*/src/**/*.test.ts"],
					isolate: false,
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
