/**
 * What damage on a disk means for the log on it: what a restart would notice, and what nobody could. A
 * judgement of its own, from the format in log/DESIGN.md and from what the device should hold; it does
 * not ask the code that it is there to test.
 */
import { crc32 } from "../../../skein/src/world/crc32.ts";
import { differences, type FileContent } from "./file-content.ts";
import type { SimulatedFile } from "./simulated-file.ts";

/**
 * "none": nothing is damaged. "harmless": only what holds nothing, or one of the two copies of term and
 * vote; the member goes on with all that it had. "detected": a restart refuses. "silent": a restart would
 * take the damage for a write that a crash tore, and go on with a shorter log: no single log can tell.
 */
export type DamageVerdict = "none" | "harmless" | "detected" | "silent";

export const logDirectory = "log";
const resetPath = `${logDirectory}/reset`;
export const isSnapshot = (path: string): boolean => path.startsWith("snapshots/");
const headerBytes = 64;
const recordHeaderBytes = 40;
const slotBytes = 4096;
/**
 * From the least to the worst: a file that a restart refuses also saves it from what it would not notice. But not
 * where the page cache hides the damage from whoever starts (seed 312000521).
 */
const order = ["none", "harmless", "detected, hidden", "silent", "detected"] as const;

/** Whatever the process does next, and whatever a loss of power leaves of the names. */
export function judgeDamage(files: ReadonlyMap<string, SimulatedFile>): DamageVerdict {
	const segments = [...files.keys()].filter(isSegment).toSorted();
	let worst: (typeof order)[number] = "none";
	for (const [path, file] of files) {
		const { device, intended } = file;
		if (device === intended) continue;
		const places = differences(device, intended);
		if (places.length === 0) continue;
		const verdict = judgeFile(path, { device, intended, places, isLast: path === segments.at(-1) });
		const one = verdict === "detected" && !isSeen(file) ? "detected, hidden" : verdict;
		if (order.indexOf(one) > order.indexOf(worst)) worst = one;
	}
	return worst === "detected, hidden" ? "detected" : worst;
}

/** Whoever opens the file reads what the device holds. */
export const isSeen = (file: SimulatedFile): boolean => file.isClean && file.ghosts().length === 0;

/**
 * For a start from these very names: one that finds `reset` removes the segments without a look, since the
 * snapshot that it stands for has what they held (seed 204932801).
 */
export function judgeStart(files: ReadonlyMap<string, SimulatedFile>): DamageVerdict {
	if (!files.has(resetPath)) return judgeDamage(files);
	return judgeDamage(new Map([...files].filter(([path]) => !isSegment(path))));
}

interface DamagedFile {
	readonly device: FileContent;
	readonly intended: FileContent;
	readonly places: readonly number[];
	readonly isLast: boolean;
}

function judgeFile(path: string, file: DamagedFile): DamageVerdict {
	if (isSegment(path)) return judgeSegment(file);
	// Copies on their way: no start looks at them, and who installs one has its checksum from the leader.
	if (isSnapshot(path)) return "harmless";
	// A creation that a crash interrupted, or whose name one took back, is begun again (seed 85140330).
	if (path.startsWith(`${logDirectory}.new/`)) return "harmless";
	switch (path) {
		case `${logDirectory}/state`: {
			const slots = new Set(file.places.map((place) => Math.floor(place / slotBytes)));
			// A slot may also be torn, which is no damage: then all depends on the other one.
			const whole = [0, 1].filter((slot) => isWhole(file.device, slot));
			if (whole.length === 0) return "detected";
			// Where a write went astray an older copy stands, whole: with the other one bad, it counts.
			return whole.some((slot) => !slots.has(slot)) ? "harmless" : "silent";
		}
		// Zeros, until a header is written that is about to get a name that counts.
		case `${logDirectory}/prepared`:
		case `${logDirectory}/reset.new`:
			return file.places.some((place) => place < headerBytes) ? "silent" : "harmless";
		case resetPath:
			return file.places.some((place) => place < headerBytes) ? "detected" : "harmless";
		default:
			return "silent";
	}
}

/** A start would read this copy of term and vote. */
function isWhole({ bytes, size }: FileContent, slot: number): boolean {
	const begin = slot * slotBytes;
	if (begin + slotBytes > size) return false;
	const view = new DataView(bytes.buffer, bytes.byteOffset + begin, slotBytes);
	return crc32(bytes.subarray(begin + 8, begin + slotBytes)) === view.getUint32(4, true);
}

/** Names that a restart would give itself up over are not invented here: only bytes are ever damaged. */
function isSegment(path: string): boolean {
	return path.startsWith(`${logDirectory}/`) && path.endsWith(".segment");
}

function judgeSegment({ intended, places, isLast }: DamagedFile): DamageVerdict {
	const [firstPlace] = places;
	if (firstPlace !== undefined && firstPlace < headerBytes) return "detected";
	const damaged = new Set(places);
	const records = recordsOf(intended);
	const isDamaged = ({ begin, end }: PlacedRecord) => {
		for (let place = begin; place < end; place++) if (damaged.has(place)) return true;
		return false;
	};
	const first = records.findIndex(isDamaged);
	const unreadable = records[first];
	if (unreadable === undefined) return "harmless";
	// The next segment began only after all of this one was durable: an entry is missing.
	if (!isLast) return "detected";
	const proves = (record: PlacedRecord) => record.durableIndex >= unreadable.index && !isDamaged(record);
	return records.slice(first + 1).some(proves) ? "detected" : "silent";
}

interface PlacedRecord {
	readonly begin: number;
	/** Of the payload: the zeros behind it belong to nobody. */
	readonly end: number;
	readonly index: number;
	readonly durableIndex: number;
}

function recordsOf({ bytes, size }: FileContent): readonly PlacedRecord[] {
	const view = new DataView(bytes.buffer, bytes.byteOffset, size);
	const records: PlacedRecord[] = [];
	if (size < headerBytes) return records;
	const salt = view.getUint32(32, true);
	for (let begin = headerBytes; begin + recordHeaderBytes <= size; ) {
		const end = begin + recordHeaderBytes + view.getUint32(begin + 4, true);
		if (end > size || crc32(bytes.subarray(begin + 4, end), salt) !== view.getUint32(begin, true)) break;
		const index = Number(view.getBigUint64(begin + 8, true));
		const durableIndex = Number(view.getBigUint64(begin + 24, true));
		records.push({ begin, end, index, durableIndex });
		begin = Math.ceil(end / 8) * 8;
	}
	return records;
}
