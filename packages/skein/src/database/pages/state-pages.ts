/**
 * The pages of skein_state, made by hand: what a member writes by itself at every index must come out the same, byte for
 * byte, whatever was on the pages before, and however many entries were applied at once. SQLite's own UPDATE leaves in the
 * free part of a page what its history was, and takes and gives back pages as the row grows and shrinks.
 *
 * So the row is of one size, for as long as the log format is wal: its text, the configuration, ends in spaces. It lies on
 * the table's one page and on those behind it, whose numbers stay (https://sqlite.org/fileformat2.html §1.6, §2.1).
 */
import type { Configuration } from "../../consensus/types.ts";
import type { DatabaseState } from "../database.ts";

/** Enough for the largest configuration: 64 members, and 1,000 ids that were used. */
const pagesBehind = 28;
export const statePagesCount = 1 + pagesBehind;

const leafOfTable = 13;
const pageHeaderBytes = 8;
/** Of a page of a table, beside the part of a row that lies there. */
const besideRowBytes = 35;
const nextPageBytes = 4;
const integerType = 6;
const integerBytes = 8;
/** Of the record: its own size, the types of five columns. */
const headBytes = 8;
const noColumn = 0;
const space = 32;

function rowBytes(pageBytes: number): number {
	return pageBytes - besideRowBytes + pagesBehind * (pageBytes - nextPageBytes);
}

/** Configurations that are equal have the same text on every member. */
function textOf(configuration: Configuration): string {
	const { members, voters, outgoingVoters, learners, joining, retired, elector, ...rest } = configuration;
	// Whatever there may be: what is left out here would be lost with the next start.
	rest satisfies Record<string, never>;
	const named = members.map(({ id, peer, priority, witness, ...none }) => {
		none satisfies Record<string, never>;
		return { id, peer, priority, witness };
	});
	return JSON.stringify({ members: named, voters, outgoingVoters, learners, joining, retired, elector });
}

/** Of `text` and spaces behind it; `taken`: what the columns before it take of the row. */
function fillingBytes(text: string, pageBytes: number, taken: number): number {
	const room = rowBytes(pageBytes) - headBytes - taken;
	if (Buffer.byteLength(text) > room) throw new RangeError(`a configuration of ${text.length} bytes`);
	return room;
}

export interface StatePages {
	readonly pageBytes: number;
	/** The table's own first. */
	readonly numbers: readonly number[];
}

/** `all`: with the pages that a change of the configuration alone changes. */
export function encodeStatePages(
	{ pageBytes, numbers }: StatePages,
	{ applied, configuration }: DatabaseState,
	all: boolean,
): Map<number, Uint8Array> {
	if (numbers.length !== statePagesCount) throw new Error(`the state lies on ${numbers.length} pages`);
	const text = configuration === null ? "" : textOf(configuration.value);
	const textBytes = fillingBytes(text, pageBytes, 3 * integerBytes);
	const here = pageBytes - besideRowBytes;
	const row = new Uint8Array(all ? rowBytes(pageBytes) : here);
	const view = new DataView(row.buffer);
	// The first column is the rowid, and is kept there.
	row.set([headBytes, noColumn, integerType, integerType, integerType, ...varint(13 + 2 * textBytes)]);
	for (const [at, number] of [applied.index, applied.term, configuration?.index ?? 0].entries())
		view.setBigInt64(headBytes + at * integerBytes, BigInt(number));
	const textAt = headBytes + 3 * integerBytes;
	row.fill(space, textAt);
	new TextEncoder().encodeInto(text, row.subarray(textAt));
	const pages = new Map([[numbers[0] ?? 0, tablePage(pageBytes, row.subarray(0, here), numbers[1] ?? 0)]]);
	if (!all) return pages;
	for (const [at, number] of numbers.slice(1).entries()) {
		const page = new Uint8Array(pageBytes);
		new DataView(page.buffer).setUint32(0, numbers[at + 2] ?? 0);
		const from = here + at * (pageBytes - nextPageBytes);
		page.set(row.subarray(from, from + pageBytes - nextPageBytes), nextPageBytes);
		pages.set(number, page);
	}
	return pages;
}

/** With the one row, as far as it lies here. */
function tablePage(pageBytes: number, row: Uint8Array, next: number): Uint8Array {
	const page = new Uint8Array(pageBytes);
	const view = new DataView(page.buffer);
	const head = [...varint(rowBytes(pageBytes)), ...varint(1)];
	const start = pageBytes - nextPageBytes - row.length - head.length;
	page[0] = leafOfTable;
	view.setUint16(3, 1);
	view.setUint16(5, start);
	view.setUint16(pageHeaderBytes, start);
	page.set(head, start);
	page.set(row, start + head.length);
	view.setUint32(pageBytes - nextPageBytes, next);
	return page;
}

/** For SQLite's own UPDATE of the row, with this applied index, so that the row is of its size. */
export function textThatFills(pageBytes: number, state: DatabaseState, appliedIndex: number): string {
	const { applied, configuration } = state;
	const numbers = [appliedIndex, applied.term, configuration?.index ?? 0];
	const taken = numbers.reduce((sum, number) => sum + shortestBytes(number), 0);
	const text = configuration === null ? "" : textOf(configuration.value);
	// Ids and addresses are ASCII.
	return text.padEnd(fillingBytes(text, pageBytes, taken));
}

/** That SQLite takes for an integer. */
function shortestBytes(value: number): number {
	if (value === 0 || value === 1) return 0;
	const size = [1, 2, 3, 4, 6, 8].find(
		(bytes) => value >= -(2 ** (8 * bytes - 1)) && value < 2 ** (8 * bytes - 1),
	);
	if (size === undefined) throw new RangeError(`${value} is no integer of SQLite's`);
	return size;
}

/** Seven bits a byte, the highest first. */
function varint(value: number): number[] {
	const bytes = [value % 128];
	for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
		bytes.unshift((rest % 128) | 128);
	return bytes;
}
