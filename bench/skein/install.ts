// The package as it is published: compiled, without the sources beside it, so that what runs is what users run.
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../children.ts";

export const root = resolve(import.meta.dirname, "../..");
export const nodeBinary = join(root, "node_modules/.bin/node");

/** The path of its `skein`. */
export async function installSkein(directory: string): Promise<string> {
	await run(nodeBinary, [join(root, "tools/build.ts")], { directory: root });
	const source = join(root, "packages/skein");
	const target = join(directory, "install/skein");
	mkdirSync(target, { recursive: true });
	for (const part of ["bin", "dist", "package.json"]) {
		cpSync(join(source, part), join(target, part), { recursive: true });
	}
	symlinkSync(join(root, "node_modules"), join(directory, "install/node_modules"));
	return join(target, "bin/skein.js");
}
