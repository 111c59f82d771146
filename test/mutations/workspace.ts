/** A copy of the sources in a temporary folder, to be changed and run without touching the working tree. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Mutation } from "./mutation.ts";

const root = join(import.meta.dirname, "../..");
/** What the simulator needs to run, and the compiler to check. */
const copied = [
	"package.json",
	"tsconfig.json",
	"tsconfig.base.json",
	"packages/client/package.json",
	"packages/client/src",
	"packages/simulator/package.json",
	"packages/simulator/src",
	"packages/skein/package.json",
	"packages/skein/src",
];

export interface Workspace {
	readonly directory: string;
	remove(): void;
}

export function createWorkspace(): Workspace {
	const directory = mkdtempSync(join(tmpdir(), "skein-mutation-"));
	for (const path of copied) cpSync(join(root, path), join(directory, path), { recursive: true });
	symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
	return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Throws if the code has moved away from under the patch: then the patch must be made anew. */
export function applyMutation(workspace: Workspace, mutation: Mutation): void {
	gitApply(workspace, mutation, []);
}

/** The same, and nothing is changed. */
export function mustApply(workspace: Workspace, mutation: Mutation): void {
	gitApply(workspace, mutation, ["--check"]);
}

function gitApply(workspace: Workspace, mutation: Mutation, options: readonly string[]): void {
	// All its context must match; the line numbers need not (patches.test.ts says what else must be so). Outside any
	// repository, wherever the temporary folder is: git would leave out files that it takes for another repository's.
	const environment = { ...process.env, GIT_CEILING_DIRECTORIES: join(workspace.directory, "..") };
	execFileSync("git", ["apply", ...options, "--whitespace=nowarn", mutation.path], {
		cwd: workspace.directory,
		env: environment,
		stdio: ["ignore", "ignore", "pipe"],
		encoding: "utf8",
	});
}

/** What the compiler says against it; empty: nothing. */
export function typeErrors(workspace: Workspace): string {
	const options = { cwd: workspace.directory, encoding: "utf8" } as const;
	const compiler = join(root, "node_modules/typescript/bin/tsc");
	const ran = spawnSync(
		process.execPath,
		[compiler, "--noEmit", "-p", "packages/skein/src/consensus"],
		options,
	);
	const all = spawnSync(process.execPath, [compiler, "--noEmit", "-p", "."], options);
	return `${ran.stdout}${all.stdout}`.trim();
}
