/**
 * The names of a simulated disk: as the process sees them, as a power loss would leave them, and the
 * changes between the two. Directories themselves are always durable (not modelled).
 */
import type { Chance } from "../engine/chance.ts";
import { createSimulatedFile, type SimulatedFile } from "./simulated-file.ts";

export interface DiskNames {
	get(path: string): SimulatedFile | undefined;
	create(path: string): SimulatedFile;
	/** False: there is no such file or directory. */
	rename(from: string, to: string): boolean;
	remove(path: string): void;
	list(directory: string): string[];
	sync(directory: string): void;
	/** Any of the changes that were not synced are kept, in order. */
	loseCache(chance: Chance): void;
	/** The file of this name is the one that a loss of power leaves. */
	isDurable(path: string): boolean;
	/** As the process sees them. */
	all(): ReadonlyMap<string, SimulatedFile>;
	clear(): void;
}

type NameChange =
	| { readonly type: "link"; readonly path: string; readonly file: SimulatedFile }
	| { readonly type: "unlink"; readonly path: string }
	/** Moves these very files, old path to new: a directory entry points to a file, not to a name. */
	| {
			readonly type: "rename";
			readonly from: string;
			readonly to: string;
			readonly moved: ReadonlyMap<string, SimulatedFile>;
	  };

export function createDiskNames(): DiskNames {
	let names = new Map<string, SimulatedFile>();
	const durable = new Map<string, SimulatedFile>();
	let unsynced: NameChange[] = [];

	function change(one: NameChange): void {
		applyName(names, one);
		unsynced.push(one);
	}

	return {
		get: (path) => names.get(path),
		create(path) {
			const file = createSimulatedFile();
			change({ type: "link", path, file });
			return file;
		},
		rename(from, to) {
			const moved = new Map<string, SimulatedFile>();
			const file = names.get(from);
			// Nothing lies below a file, and a log has many.
			if (file !== undefined) moved.set(from, file);
			else for (const [path, one] of names) if (path.startsWith(`${from}/`)) moved.set(path, one);
			if (moved.size > 0) change({ type: "rename", from, to, moved });
			return moved.size > 0;
		},
		remove(path) {
			if (names.has(path)) change({ type: "unlink", path });
		},
		list(directory) {
			const prefix = directory === "" ? "" : `${directory}/`;
			const below = [...names.keys()].filter((path) => path.startsWith(prefix));
			return [...new Set(below.map((path) => path.slice(prefix.length).split("/")[0] ?? ""))];
		},
		sync(directory) {
			const isHere = (one: NameChange) => parentOf(one.type === "rename" ? one.to : one.path) === directory;
			for (const one of unsynced) if (isHere(one)) applyName(durable, one);
			unsynced = unsynced.filter((one) => !isHere(one));
		},
		loseCache(chance) {
			for (const one of unsynced) if (chance.happens(0.5)) applyName(durable, one);
			unsynced = [];
			names = new Map(durable);
		},
		isDurable: (path) => durable.has(path) && durable.get(path) === names.get(path),
		all: () => names,
		clear() {
			names.clear();
			durable.clear();
			unsynced = [];
		},
	};
}

function applyName(names: Map<string, SimulatedFile>, change: NameChange): void {
	switch (change.type) {
		case "link":
			names.set(change.path, change.file);
			return;
		case "unlink":
			names.delete(change.path);
			return;
		case "rename": {
			const { from, to, moved } = change;
			for (const [path, file] of moved) {
				const isHere = names.get(path) === file;
				if (isHere) names.delete(path);
				// Below a directory that was renamed lies what it durably held, no more.
				else if (path !== from) continue;
				names.set(to + path.slice(from.length), file);
			}
			return;
		}
		default: {
			const never: never = change;
			throw new Error(`unknown change ${JSON.stringify(never)}`);
		}
	}
}

function parentOf(path: string): string {
	return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}
