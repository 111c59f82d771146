/** The layers and what each may import and use: the rules of DESIGN.md §7 as data. */

export interface Room {
	/** Folders whose modules may be imported. */
	readonly imports: readonly string[];
	/** May import `node:` modules. */
	readonly node: boolean;
	/** May import packages from npm. */
	readonly packages: boolean;
	/** Words of the language or platform that must not appear, with the reason. */
	readonly banned: readonly (readonly [pattern: RegExp, reason: string])[];
}

const word = (words: string): RegExp => new RegExp(`(?<![.\\w$])(?:${words})(?![\\w$])`, "g");

const chance: Room["banned"] = [
	[word("Date"), "time comes from Clock"],
	[/(?<![.\w$])Math\.random/g, "chance comes from Random"],
	[word("setTimeout|setInterval|setImmediate|performance"), "time comes from Clock"],
];
const platform: Room["banned"] = [
	[word("process|Buffer|globalThis|crypto|fetch|console|require"), "this room also runs in a browser"],
];
const pure: Room["banned"] = [
	...chance,
	...platform,
	[word("async|await|Promise|queueMicrotask"), "the core is synchronous: completions come in as inputs"],
];

const below = ["world", "consensus", "client"];

/** Rooms of packages/skein/src, the client and the simulator. A room that is not listed fails the check. */
export const rooms: Readonly<Record<string, Room>> = {
	consensus: { imports: [], node: false, packages: false, banned: pure },
	client: {
		imports: [],
		node: false,
		packages: false,
		banned: [[word("process|Buffer|require"), "the client also runs in a browser"]],
	},
	world: { imports: ["consensus"], node: true, packages: false, banned: [] },
	log: { imports: below, node: false, packages: false, banned: [...chance, ...platform] },
	database: { imports: below, node: true, packages: false, banned: [] },
	peer: { imports: below, node: true, packages: false, banned: [] },
	node: { imports: [...below, "log", "database", "peer"], node: true, packages: false, banned: chance },
	api: { imports: [...below, "log", "database", "peer", "node"], node: true, packages: true, banned: [] },
	server: {
		imports: [...below, "log", "database", "peer", "node", "api"],
		node: true,
		packages: false,
		banned: chance,
	},
	cli: {
		imports: [...below, "log", "database", "peer", "node", "api", "server"],
		node: true,
		packages: true,
		banned: [],
	},
	// Played in a browser too: what needs Node (threads, files, the command line) stands in command/.
	simulator: {
		imports: [...below, "log", "database", "peer", "node"],
		node: false,
		packages: false,
		banned: [...chance, ...platform],
	},
	"simulator-command": {
		imports: [...below, "log", "database", "peer", "node", "simulator"],
		node: true,
		packages: true,
		banned: [],
	},
	index: {
		imports: [...below, "log", "database", "peer", "node", "api", "server", "cli"],
		node: true,
		packages: true,
		banned: [],
	},
};

/**
 * What is played in a browser as it stands: all that these import, and what that imports, runs without Node. Rooms that
 * may use it have modules among these.
 */
export const playedInBrowsers: readonly string[] = [
	"packages/simulator/src/run/simulate.ts",
	"packages/simulator/src/machine/store.ts",
];
export const platformOfNode: Room["banned"] = [
	[word("process|Buffer|setImmediate|require|__dirname"), "the simulator also runs in a browser"],
];

/** Single modules that a room may import besides, as types only: what crosses the wire has one definition. */
export const typeExceptions: readonly (readonly [from: string, to: string])[] = [
	["peer", "packages/skein/src/database/program.ts"],
	["peer", "packages/skein/src/log/log.ts"],
];
