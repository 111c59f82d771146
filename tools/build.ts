// Makes what is published: compiles packages/skein and packages/client into packages/skein/dist.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "packages/skein/dist");

function build(): number {
	// Nothing of an earlier build may stay: a file that was renamed would be published twice.
	rmSync(dist, { recursive: true, force: true });
	// Inside the tree, so that the compiler finds @types/node.
	const folder = mkdtempSync(join(root, "node_modules/.skein-build-"));
	try {
		const project = join(folder, "tsconfig.json");
		writeFileSync(project, JSON.stringify(configuration()));
		const tsc = join(root, "node_modules/.bin/tsc");
		const compiled = spawnSync(tsc, ["--project", project], { stdio: "inherit" });
		// The compiler writes files even when there are errors: only its exit code tells.
		if (compiled.status !== 0) return compiled.status ?? 1;
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
	const missing = [
		"skein/src/cli/main.js",
		"skein/src/index.d.ts",
		"client/src/index.js",
		"client/src/index.d.ts",
	]
		.map((path) => join(dist, path))
		.filter((path) => !existsSync(path));
	for (const path of missing) console.error(`the build lacks ${path}`);
	if (missing.length > 0) return 1;
	chmodSync(join(root, "packages/skein/bin/skein.js"), 0o755);
	return 0;
}

function configuration(): object {
	return {
		extends: join(root, "tsconfig.json"),
		compilerOptions: {
			noEmit: false,
			declaration: true,
			rootDir: join(root, "packages"),
			outDir: dist,
			typeRoots: [join(root, "node_modules/@types")],
		},
		include: ["skein", "client"].map((name) => join(root, "packages", name, "src")),
		exclude: ["*.test.ts", "*.testing.ts", "testing/**", "testdata/**"].map((pattern) =>
			join(root, "packages/**", pattern),
		),
	};
}

process.exitCode = build();
