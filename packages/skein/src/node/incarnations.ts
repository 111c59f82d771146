/**
 * Remembers which incarnation of each peer this node has met. A node that comes back under its old
 * name with another incarnation has lost its disk: it forgot what it promised and what it
 * acknowledged, and must not take part under that name again (reference bugs 14 and 45).
 */
import type { NodeId } from "../consensus/types.ts";
import type { Disk } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import { readJsonFile, writeJsonFile } from "./json-file.ts";

const path = "peers.json";

export interface Incarnations {
	/** False: this is not the node that had this name before. */
	readonly accepts: (node: NodeId, incarnation: string) => boolean;
}

export async function createIncarnations(disk: Disk, logger: Logger): Promise<Incarnations> {
	const known = new Map<NodeId, string>(Object.entries(await load(disk)));
	let saving: Promise<void> = Promise.resolve();
	/** The last attempt to save found a disk that refused: the next connection tries again. */
	let isUnsaved = false;

	function save(): void {
		isUnsaved = false;
		const value = Object.fromEntries(known);
		saving = saving
			.then(() => writeJsonFile(disk, path, value))
			.catch((error: unknown) => {
				isUnsaved = true;
				logger.warn({ error: String(error) }, "the list of known peers could not be saved");
			});
	}

	return {
		accepts(node, incarnation) {
			const before = known.get(node);
			if (before === undefined) known.set(node, incarnation);
			if (before === undefined || isUnsaved) save();
			return before === undefined || before === incarnation;
		},
	};
}

async function load(disk: Disk): Promise<Record<NodeId, string>> {
	const parsed = (await readJsonFile(disk, path)) ?? {};
	if (typeof parsed !== "object") throw new Error(`${path} is damaged: delete it`);
	const entries = Object.entries(parsed).filter(
		(entry): entry is [string, string] => typeof entry[1] === "string",
	);
	return Object.fromEntries(entries);
}
