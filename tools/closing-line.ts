/** A reporter for Vitest whose one job is the last line: `N passed, N failed, N skipped`, alone on a line. */
import { appendFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

export const closingLine: Reporter = {
	onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
		const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
		for (const module of modules) {
			for (const test of module.children.allTests()) counts[test.result().state] += 1;
			// A file that failed before its tests were known has none to count; it failed all the same.
			counts.failed += module.errors().length;
			for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
		}
		// A test that never ran to its end did not pass.
		counts.failed += counts.pending;
		const line = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
		console.log(`\n${line}`);
		// .ci/run adds up the lines of several runs.
		const file = process.env["SKEIN_TEST_COUNTS"];
		if (file !== undefined) appendFileSync(file, `${line}\n`);
	},
};
