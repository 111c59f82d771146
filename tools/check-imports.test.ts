// The checker sees what it must, and stays silent about its near misses.
import { expect, test } from "vitest";
import { checkFiles, checkPlayed, roomOf } from "./check-imports.ts";

const rulesOf = (path: string, text: string): string[] =>
	checkFiles([{ path: `packages/${path}`, text }]).map(({ line, rule }) => `${line}: ${rule}`);

const refused: readonly (readonly [name: string, path: string, text: string, line: number])[] = [
	["an upward import", "skein/src/node/a.ts", 'import { x } from "../api/x.ts";', 1],
	["sideways", "skein/src/log/a.ts", '\nimport {\n\tx,\n\ty as z,\n} from "../peer/x.ts";', 5],
	["a type upwards", "skein/src/log/a.ts", 'import type { X } from "../node/x.ts";', 1],
	["a re-export", "skein/src/log/a.ts", 'export * from "../node/x.ts";', 1],
	["a dynamic import", "skein/src/node/a.ts", 'const x = await import("../cli/x.ts");', 1],
	["a bare side-effect import", "skein/src/node/a.ts", 'import "../cli/x.ts";', 1],
	[
		"an import after a regular expression with a quote",
		"skein/src/log/a.ts",
		'const r = /["/]/;\nexport { x } from "../api/x.ts";',
		2,
	],
	[
		"an import after a template with a brace",
		"skein/src/log/a.ts",
		'const r = `${{ a: "}" }.a} // `;\nexport { x } from "../api/x.ts";',
		2,
	],
	[
		"values from the one module of types",
		"skein/src/peer/a.ts",
		'import { x } from "../database/program.ts";',
		1,
	],
	[
		"types from another module there",
		"skein/src/peer/a.ts",
		'import type { x } from "../database/database.ts";',
		1,
	],
	["world in the core", "skein/src/consensus/a.ts", 'import type { Clock } from "../world/clock.ts";', 1],
	["node: in the core", "skein/src/consensus/a.ts", 'import { readFileSync } from "node:fs";', 1],
	["node: in the log", "skein/src/log/a.ts", 'import { readFileSync } from "node:fs";', 1],
	["a package in the core", "skein/src/consensus/a.ts", 'import { z } from "zod";', 1],
	["a package in the client", "client/src/a.ts", 'import { z } from "zod";', 1],
	["skein in the client", "client/src/a.ts", 'import { x } from "../../skein/src/world/clock.ts";', 1],
	[
		"a helper of tests in the product",
		"skein/src/node/a.ts",
		'import { x } from "../log/testing/memory-disk.ts";',
		1,
	],
	["something outside the packages", "skein/src/node/a.ts", 'import { x } from "../../../../tools/x.ts";', 1],
	["no extension", "skein/src/node/a.ts", 'import { x } from "./x";', 1],
	["time in the core", "skein/src/consensus/a.ts", "const now = Date.now();", 1],
	["chance in the core", "skein/src/consensus/a.ts", "\n\nconst x = Math.random();", 3],
	["a timer in the core", "skein/src/consensus/a.ts", "setTimeout(() => {}, 1);", 1],
	["a promise in the core", "skein/src/consensus/a.ts", "function f(): Promise<void> {}", 1],
	["async in the core", "skein/src/consensus/a.ts", "const f = async () => {};", 1],
	["process in the core", "skein/src/consensus/a.ts", "const p = `${process.pid}`;", 1],
	["mutable state", "skein/src/node/a.ts", "let count = 0;", 1],
	["a mutable map", "skein/src/node/a.ts", "const cache = new Map<string, string>();", 1],
	["a typed mutable map", "skein/src/node/a.ts", "export const cache: Map<string, string> = new Map();", 1],
	["a mutable list", "skein/src/node/a.ts", "const list: Array<string> = [];", 1],
	[
		"the whole node in a part of it",
		"skein/src/node/a.ts",
		'import { x } from "../server/start-node.ts";',
		1,
	],
	["a room nobody knows", "skein/src/kitchen/a.ts", "export {};", 1],
];

const allowed: readonly (readonly [name: string, path: string, text: string])[] = [
	[
		"downwards",
		"skein/src/cli/a.ts",
		'import { x } from "../node/x.ts";\nimport { z } from "zod";\nimport "node:fs";',
	],
	["within a room", "skein/src/consensus/electors/a.ts", 'import { x } from "../core.ts";'],
	[
		"types that cross the wire",
		"skein/src/peer/a.ts",
		'import type { Program } from "../database/program.ts";',
	],
	[
		"an import in a comment",
		"skein/src/log/a.ts",
		'// import { x } from "../api/x.ts";\n/* export * from "../api/x.ts" */',
	],
	["an import in a string", "skein/src/log/a.ts", "const s = 'import { x } from \"../api/x.ts\"';"],
	["an import in a template", "skein/src/log/a.ts", 'const s = `import { x } from "../api/x.ts"; ${1}`;'],
	[
		"a division is no regular expression",
		"skein/src/log/a.ts",
		'const a = b / c; // "\nconst s = "x"; const d = (a) / 2;',
	],
	[
		"banned words as members and prose",
		"skein/src/consensus/a.ts",
		"// Date and a Promise\nconst x = input.process; const updated = 1;",
	],
	[
		"time in a test of the core",
		"skein/src/consensus/a.test.ts",
		'import { test } from "vitest";\nlet x = Date.now();',
	],
	[
		"another room's helper in a test",
		"skein/src/peer/a.test.ts",
		'import { x } from "../log/testing/memory-disk.ts";',
	],
	["a readonly map", "skein/src/node/a.ts", "const table: ReadonlyMap<string, string> = new Map([]);"],
	["a local variable", "skein/src/node/a.ts", "function f() {\n\tlet x = 0;\n\tconst m = new Map();\n}"],
	[
		"the client's errors",
		"skein/src/node/a.ts",
		'import { SkeinError } from "../../../client/src/errors.ts";',
	],
];

test.each(refused)("refused: %s", (_name, path, text, line) => {
	const rules = rulesOf(path, text);
	expect(rules).toHaveLength(1);
	expect(rules[0]).toMatch(new RegExp(`^${line}: `));
});

test.each(allowed)("allowed: %s", (_name, path, text) => {
	expect(rulesOf(path, text)).toEqual([]);
});

test("a checker that sees nothing fails", () => {
	expect(() => checkFiles([])).toThrow("no files");
});

test("rooms by path", () => {
	expect(roomOf("packages/skein/src/index.ts")).toBe("index");
	expect(roomOf("packages/skein/src/database/changes/row.ts")).toBe("database");
	expect(roomOf("packages/client/src/errors.ts")).toBe("client");
	expect(roomOf("packages/skein/src/server/start-node.ts")).toBe("server");
	expect(roomOf("tools/build.ts")).toBeNull();
});

test("what is played in a browser reaches nothing of Node, however many modules are between", () => {
	const files = [
		{ path: "a/entrance.ts", text: 'import { b } from "./b.ts";\nimport type { T } from "./types.ts";' },
		{ path: "a/b.ts", text: 'export * from "../c/c.ts";' },
		{ path: "c/c.ts", text: 'import { x } from "node:fs";\nexport const size = Buffer.byteLength("");' },
		{ path: "a/types.ts", text: 'import { y } from "node:net";' },
		{ path: "c/elsewhere.ts", text: 'import { z } from "node:os";' },
	];
	const lines = checkPlayed(files, ["a/entrance.ts"]).map(
		({ path, line, rule }) => `${path}:${line} ${rule}`,
	);
	expect(lines).toEqual([
		"c/c.ts:1 node:fs cannot be played in a browser (imported by a/b.ts)",
		"c/c.ts:2 must not use Buffer: the simulator also runs in a browser (imported by a/b.ts)",
	]);
	expect(() => checkPlayed(files, ["a/moved.ts"])).toThrow("not there");
});
