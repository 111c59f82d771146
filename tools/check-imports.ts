/**
 * Holds the modules of the packages to the order of the layers: `npm run check:imports`.
 * Prints one line a violation (file:line and the rule) and fails; also when it sees no files.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";
import { platformOfNode, playedInBrowsers, rooms, typeExceptions } from "./import-rules.ts";
import { type ImportedModule, lineAt, scanSource } from "./scan-source.ts";

export interface SourceFile {
	/** From the root of the repository, with "/". */
	readonly path: string;
	readonly text: string;
}

export interface Violation {
	readonly path: string;
	readonly line: number;
	readonly rule: string;
}

/** Tests and the helpers of tests: they may use Node, packages, and the helpers of other rooms. */
const isTestCode = (path: string): boolean => /\/testing\/|\.(?:test|testing)\.ts$/.test(path);

export function roomOf(path: string): string | null {
	if (path.startsWith("packages/client/src/")) return "client";
	if (path.startsWith("packages/simulator/src/command/")) return "simulator-command";
	if (path.startsWith("packages/simulator/src/")) return "simulator";
	const match = /^packages\/skein\/src\/(?:([^/]+)\/|([^/]+)\.ts$)/.exec(path);
	if (match === null) return null;
	return match[1] ?? "index";
}

export function checkFiles(files: readonly SourceFile[]): Violation[] {
	if (files.length === 0)
		throw new Error("there are no files to check: this checker is looking in the wrong place");
	return files.flatMap(checkFile);
}

function checkFile(file: SourceFile): Violation[] {
	const room = roomOf(file.path);
	const { code, imports } = scanSource(file.text);
	const violation = (line: number, rule: string): Violation => ({ path: file.path, line, rule });
	const rules = room === null ? undefined : rooms[room];
	if (room === null || rules === undefined) {
		return [violation(1, `${room ?? "this folder"} is no layer: add it to tools/import-rules.ts`)];
	}
	const found: Violation[] = [];
	for (const imported of imports) {
		const rule = imported.specifier.startsWith(".")
			? relativeRule(file.path, room, imported)
			: outsideRule(file.path, room, imported);
		if (rule !== null) found.push(violation(imported.line, rule));
	}
	if (isTestCode(file.path)) return found;
	for (const [pattern, reason] of rules.banned) {
		for (const match of code.matchAll(pattern)) {
			found.push(violation(lineAt(code, match.index), `${room} must not use ${match[0]}: ${reason}`));
		}
	}
	for (const match of code.matchAll(mutableState)) {
		found.push(
			violation(
				lineAt(code, match.index),
				"no module-level mutable state: a node can be started twice in one process",
			),
		);
	}
	return found;
}

/** Statements that begin in column 1, so at the top level; a `ReadonlyMap` annotation says that nothing changes it. */
const mutableState =
	/^(?:export )?(?:let|var)\b|^(?:export )?const [\w$]+(?:: (?:Map|Set|Array|Record)\b[^=\n]*)? = (?:new (?:Map|Set|WeakMap|WeakSet|Array)\b|\[\];|\{\};)/gm;

function relativeRule(from: string, room: string, imported: ImportedModule): string | null {
	const target = normalize(join(dirname(from), imported.specifier));
	if (!target.endsWith(".ts")) return `${imported.specifier}: a relative import names its file, with .ts`;
	const targetRoom = roomOf(target);
	if (targetRoom === null) return `${target} is outside the packages' sources`;
	if (isTestCode(target)) {
		return isTestCode(from) ? null : `${target} is for tests only`;
	}
	if (targetRoom === room || rooms[room]?.imports.includes(targetRoom) === true) return null;
	if (typeExceptions.some(([exceptRoom, module]) => exceptRoom === room && module === target)) {
		return imported.isTypeOnly ? null : `${room} may import only types from ${target}`;
	}
	return `${room} must not import ${targetRoom}: imports go downwards only`;
}

function outsideRule(from: string, room: string, imported: ImportedModule): string | null {
	if (isTestCode(from)) return null;
	const { specifier } = imported;
	if (specifier.startsWith("node:")) {
		return rooms[room]?.node === true
			? null
			: `${room} must not import ${specifier}: it also runs in a browser`;
	}
	return rooms[room]?.packages === true ? null : `${room} must not import the package ${specifier}`;
}

/** Holds all that is reached by other than types to what a browser has. */
export function checkPlayed(
	files: readonly SourceFile[],
	entrances: readonly string[] = playedInBrowsers,
): Violation[] {
	const sources = new Map(files.map((file) => [file.path, file]));
	/** Each with the module that it is reached from. */
	const reached = new Map<string, string>(entrances.map((path) => [path, "tools/import-rules.ts"]));
	const found: Violation[] = [];
	for (const [path, from] of reached) {
		const file = sources.get(path);
		if (file === undefined) throw new Error(`${from} leads to ${path}, which is not there`);
		const { code, imports } = scanSource(file.text);
		for (const { specifier, line, isTypeOnly } of imports) {
			if (isTypeOnly) continue;
			const target = normalize(join(dirname(path), specifier));
			if (!specifier.startsWith("."))
				found.push({ path, line, rule: `${specifier} cannot be played in a browser (imported by ${from})` });
			else if (!reached.has(target)) reached.set(target, path);
		}
		for (const [pattern, reason] of platformOfNode) {
			for (const match of code.matchAll(pattern)) {
				const rule = `must not use ${match[0]}: ${reason} (imported by ${from})`;
				found.push({ path, line: lineAt(code, match.index), rule });
			}
		}
	}
	return found;
}

function main(): void {
	const paths = globSync("packages/*/src/**/*.ts", { exclude: (path) => path.includes("node_modules") });
	const files = paths.map((path) => ({ path, text: readFileSync(path, "utf8") }));
	const violations = [...checkFiles(files), ...checkPlayed(files)];
	for (const { path, line, rule } of violations) console.error(`${path}:${line} ${rule}`);
	console.log(`${files.length} files, ${violations.length} violations of the order of the layers`);
	if (violations.length > 0) process.exitCode = 1;
}

if (import.meta.main) main();
