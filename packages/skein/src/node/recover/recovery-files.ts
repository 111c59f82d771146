/**
 * What a data directory says of recoveries (docs/decisions/recover.md): `recovering.json` while one is under way,
 * `recovered.json` when it is done, `superseded.json` where another member's recovery gave this one's cluster up.
 */
import type { Position, Term } from "../../consensus/types.ts";
import type { Disk } from "../../world/disk.ts";
import { readJsonFile, writeJsonFile } from "../json-file.ts";

export const recoveringName = "recovering.json";
export const recoveredName = "recovered.json";
const supersededName = "superseded.json";

/** What was decided, once, before anything was changed: whoever goes on goes by it. */
export interface Recovery {
	readonly node: string;
	readonly from: string;
	readonly to: string;
	readonly incarnation: string;
	/** Where the new cluster's other members will reach it. */
	readonly peer: string;
	/** Where the old log ended. */
	readonly last: Position;
	/** Of the two entries behind that. */
	readonly term: Term;
	/** The clusters that were given up in this directory before, oldest first. */
	readonly before: readonly string[];
}

export const readRecovering = (disk: Disk): Promise<Recovery | null> => readRecovery(disk, recoveringName);
export const readRecovered = (disk: Disk): Promise<Recovery | null> => readRecovery(disk, recoveredName);

export const writeRecovering = (disk: Disk, recovery: Recovery): Promise<void> =>
	writeJsonFile(disk, recoveringName, recovery);

/** Every cluster that this directory belonged to before. */
export function givenUp(recovery: Recovery | null): readonly string[] {
	return recovery === null ? [] : [...recovery.before, recovery.from];
}

/** The cluster that gave this one's up. */
export interface Superseded {
	readonly by: string;
}

export const writeSuperseded = (disk: Disk, superseded: Superseded): Promise<void> =>
	writeJsonFile(disk, supersededName, superseded);

/** Throws where this directory must not be started from: a recovery is under way, or has given its cluster up. */
export async function refuseUnfit(disk: Disk, directory: string, node: string): Promise<void> {
	if ((await readRecovering(disk)) !== null) {
		throw new Error(
			`a recovery of ${directory} was begun and is not done: skein recover --data ${directory} goes on`,
		);
	}
	const superseded = (await readJsonFile(disk, supersededName)) as Superseded | null;
	if (superseded !== null) throw new Error(supersededText(node, superseded.by));
}

export function supersededText(node: string, by: string): string {
	return `the cluster of this data directory was given up: a survivor went on as cluster ${by} (skein recover). ${node} comes back under a new id, with an empty directory: skein start --id NEW --join URL-OF-A-NODE --peer HOST:PORT`;
}

async function readRecovery(disk: Disk, path: string): Promise<Recovery | null> {
	const value = await readJsonFile(disk, path);
	if (value === null) return null;
	const recovery = value as Partial<Recovery>;
	const isWhole =
		typeof recovery.to === "string" && recovery.last !== undefined && Array.isArray(recovery.before);
	if (!isWhole) throw new Error(`${path} is damaged`);
	// It was written by rename, and by nobody but this program.
	return recovery as Recovery;
}
