/**
 * Decides which member's disk may be damaged, and how, so that what Skein promises still covers it.
 *
 * Covered: an entry that a majority has synced survives as long as a majority of the voters keeps what
 * it has synced or does not come back at all. So of every set of voters that may count (`voters`) at most a
 * minority may lose something that was synced: (n - 1) / 2 of them, rounded down. Such a member is "spent"; a spent
 * member that is wiped, or refuses to start, is down until the run ends. Others may take its place under other names.
 *
 * With witnesses among the voters a minority is not enough, since they have nothing that could be read: run/covered.ts.
 *
 * Not covered on any member, whatever the others have: damage that a restart cannot tell from a torn
 * write (the last group that was written, on the one disk that has it). The member would vote with a
 * log that it has silently shortened, and no log can know. Such a member is not started again.
 *
 * What a contract allows needs no permission here: unsynced writes that are lost, torn or reordered,
 * failed syncs, full, slow and hung disks, on all members at once.
 */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { Chance } from "../engine/chance.ts";
import type { Tell } from "../trace/event.ts";
import type { SimulatedDisk } from "./disk.ts";
import { type DamageVerdict, isSnapshot, judgeDamage, judgeStart, logDirectory } from "./log-damage.ts";

/**
 * "covered": within the promise. "beyond": any number of members, all of them even; but only damage that
 * a restart can notice, so each member must then refuse, and those that are left must not lie.
 */
export type AtlasProfile = "covered" | "beyond";

export interface FaultAtlas {
	readonly profile: AtlasProfile;
	/** Members whose disk has lost something that was synced, or may have. */
	readonly spent: ReadonlySet<NodeId>;
	/** Bits or a whole sector of the log turn over. Null: nothing that may be damaged was found. */
	rot(member: DamagedMember): DamageVerdict | null;
	/** The same in a snapshot that was made here, or is being received: free on every member. False: there is none. */
	rotSnapshot(node: NodeId, disk: SimulatedDisk): boolean;
	/** One of the next writes to the log goes to another place. False: this member may not be damaged. */
	misdirect(member: DamagedMember): boolean;
	/** To be asked before a disk is wiped or taken away; true counts as done. */
	mayLose(node: NodeId): boolean;
	/** To be asked before each start. False: it would go on as if nothing had happened, so it counts as lost. */
	mayStart(node: NodeId, disk: SimulatedDisk): boolean;
	/** To be asked when a member refused to start, or stopped by itself, because of its log. */
	mayRefuse(node: NodeId): boolean;
}

export interface DamagedMember {
	readonly node: NodeId;
	readonly disk: SimulatedDisk;
	readonly isDown: boolean;
}

export function createFaultAtlas(options: {
	/** All sets of voters of which a majority may be needed, now or after what is under way. */
	readonly voters: () => readonly (readonly NodeId[])[];
	readonly profile: AtlasProfile;
	readonly chance: Chance;
	readonly tell: Tell;
	/** Whether others have what this disk may lose now (`isGone`), or later, when the member goes on with it; default: always. */
	readonly isCovered?: (node: NodeId, isGone: boolean) => boolean;
}): FaultAtlas {
	const { profile, chance, tell } = options;
	const snapshotChance = chance.fork("snapshots");
	const spent = new Set<NodeId>();

	function spend(node: NodeId, isGone: boolean): boolean {
		if (spent.has(node)) return true;
		if (profile === "covered" && options.isCovered?.(node, isGone) === false) return false;
		if (
			profile === "covered" &&
			!options.voters().every((voters) => leavesMajority(voters, [...spent, node]))
		)
			return false;
		spent.add(node);
		tell({ type: "disk-spent", node });
		return true;
	}

	/** Whether the member can no longer be counted on for what it has synced. */
	function costs({ disk, isDown }: DamagedMember, path: string, verdict: DamageVerdict): boolean {
		if (verdict === "detected") return true;
		// One copy of term and vote is bad: a running process does not know, writes to the good one first, and
		// a crash there would leave none. A start mends the bad one before anything else; but if a killed process
		// left the good one in the page cache only, a loss of power may tear that too (seed 1000283).
		return path === statePath && !(isDown && disk.files().get(path)?.isClean === true);
	}

	/** Damages a file at a place drawn by chance, and takes it back if that may not be. */
	function tryRot(member: DamagedMember, path: string): DamageVerdict | null {
		const { node, disk } = member;
		const file = disk.files().get(path);
		if (file === undefined || file.device.size === 0) return null;
		const flips = drawFlips(chance, file.device.size);
		const turn = (): void => {
			for (const { offset, mask } of flips) file.rot(offset, mask);
		};
		turn();
		const verdict = judgeDamage(disk.files());
		const isAllowed = verdict === "harmless" || verdict === "detected";
		if (!isAllowed || (costs(member, path, verdict) && !spend(node, false))) {
			turn();
			return null;
		}
		tell({ type: "disk-rot", node, path, offset: flips[0]?.offset ?? 0, bytes: flips.length, verdict });
		return verdict;
	}

	return {
		profile,
		spent,
		rot(member) {
			const files = member.disk.files();
			if (judgeDamage(files) === "silent") return null;
			const paths = [...files.keys()].filter(isInLog).toSorted();
			for (let attempt = 0; attempt < 10 && paths.length > 0; attempt++) {
				const verdict = tryRot(member, chance.pick(paths));
				if (verdict !== null) return verdict;
			}
			return null;
		},
		rotSnapshot(node, disk) {
			const files = disk.files();
			const path = newestSnapshot(files.keys());
			const file = path === null ? undefined : files.get(path);
			if (path === null || file === undefined || file.sizeBytes === 0) return false;
			const flips = drawFlips(snapshotChance, file.sizeBytes);
			// Written, not turned on the device: most of a copy was never synced.
			for (const { offset, mask } of flips) {
				file.write(
					offset,
					file.read(offset, 1).map((byte) => byte ^ mask),
				);
			}
			const offset = flips[0]?.offset ?? 0;
			tell({ type: "disk-rot", node, path, offset, bytes: flips.length, verdict: "harmless" });
			return true;
		},
		misdirect({ node, disk }) {
			if (!spend(node, false)) return false;
			disk.misdirectNextWrite(isInLog);
			return true;
		},
		mayLose: (node) => spend(node, true),
		mayStart(node, disk) {
			const verdict = judgeStart(disk.files());
			if (verdict === "none" || verdict === "harmless") return true;
			if (!spent.has(node)) throw new Error(`the disk of ${node} was damaged without leave`);
			return verdict === "detected";
		},
		mayRefuse: (node) => spent.has(node),
	};
}

/** A majority of these is not among the spent. */
export function leavesMajority(voters: readonly NodeId[], spent: readonly NodeId[]): boolean {
	return 2 * voters.filter((voter) => spent.includes(voter)).length < voters.length;
}

const statePath = `${logDirectory}/state`;
const isInLog = (path: string): boolean => path.startsWith(`${logDirectory}/`);

/** Looked for many times a second, mostly in vain. */
function newestSnapshot(paths: Iterable<string>): string | null {
	let newest: string | null = null;
	for (const path of paths) if (isSnapshot(path)) newest = path;
	return newest;
}

interface Flip {
	readonly offset: number;
	readonly mask: number;
}

/** One bit most often, as a cosmic ray does; a few bytes; or a sector, as a disk does. */
function drawFlips(chance: Chance, sizeBytes: number): readonly Flip[] {
	const offset = chance.below(sizeBytes);
	if (chance.happens(0.6)) return [{ offset, mask: 1 << chance.below(8) }];
	const begin = chance.happens(0.5) ? offset : Math.floor(offset / 512) * 512;
	const length = Math.min(begin === offset ? chance.integer(2, 8) : 512, sizeBytes - begin);
	return Array.from({ length }, (_, place) => ({ offset: begin + place, mask: chance.integer(1, 255) }));
}
