/**
 * What was answered early and lost: before entries are cut from the log, each transaction among them that may have
 * been answered before its commit is written to `lost/TERM-INDEX.json`. All members that cut do that; the same
 * name is the same loss.
 *
 * A report is of an entry that is not in this member's log. An entry that was cut can come back: a leader that cuts
 * at a follower need not get its own entry committed (Raft, figure 8). Then the report is withdrawn, and made
 * again if the entry is cut again.
 *
 * Not certain is the loss of what a snapshot took the place of: whether it had been committed is not known here. Nor
 * is an older report's, if the entry may have come back inside the snapshot (`mayHoldIt`).
 */
import type { Entry, LogIndex, Position, Term } from "../consensus/types.ts";
import { acknowledgementText } from "../database/acknowledgement-text.ts";
import type { NotedTransaction } from "../database/transaction-note.ts";
import type { Log } from "../log/log.ts";
import type { Disk } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import { readTransactions } from "./cut-transactions.ts";

export const lostDirectory = "lost";

/** One file each; more are told of in the log only, a line each. */
const maxReports = 100_000;
/** Lines about one cut. */
const maxLines = 1_000;
/** Files that are written at once. */
const atOnce = 16;

/** Entries that are about to go. */
export interface Cut {
	readonly first: LogIndex;
	readonly last: LogIndex;
	/** Another leader's log has other entries there; else a snapshot takes their place. */
	readonly certain: boolean;
}

/** The content of a report. */
export interface LostTransaction extends Position {
	/** A position says nothing to another cluster. */
	readonly clusterId: string;
	/** False: it may have been committed before. */
	readonly certain: boolean;
	readonly client: string;
	readonly idempotencyKey: string | null;
	/** When the leader got it; milliseconds since 1970. */
	readonly wallTimeMs: number;
	readonly acknowledgement: string;
	readonly changes: NotedTransaction["changes"];
	/** More was changed than is shown. */
	readonly isCut: boolean;
}

export interface LostTransactions {
	/** Reports on this member's disk, as of the last `recount`. */
	readonly count: number;
	/** Forgets those whose files are gone: `skein lost dismiss`. */
	recount(): Promise<void>;
	/** Before they are cut. Rejects when the disk is full. */
	report(cut: Cut): Promise<void>;
	/** These entries are in the log now, durably. */
	appended(entries: readonly Entry[]): Promise<void>;
	/** Of these it is not known any more that they are lost: durably so when it resolves. Rejects when the disk is full. */
	doubt(mayBeCommitted: (position: Position) => boolean): Promise<void>;
	/** Withdraws the reports of everything that is in the log. */
	settle(isInLog: (position: Position) => boolean): Promise<void>;
}

export interface LostTransactionsOptions {
	readonly disk: Disk;
	readonly log: Log;
	readonly logger: Logger;
	/** What an entry's payload tells of its transaction; null: nobody was answered early. */
	readonly notedIn: (payload: Uint8Array, isWhole: boolean) => NotedTransaction | null;
	readonly maxReports?: number;
}

export async function createLostTransactions(options: LostTransactionsOptions): Promise<LostTransactions> {
	const { disk, log, logger, notedIn } = options;
	const { clusterId } = log.recovered.identity;
	const most = options.maxReports ?? maxReports;
	const reported = new Map<string, Position>();
	for (const name of await disk.list(lostDirectory)) {
		const position = positionOf(name);
		if (position !== null) reported.set(name, position);
		else if (name.endsWith(temporary)) await disk.remove(`${lostDirectory}/${name}`);
	}

	/** One after the other: a report and its withdrawal must not overtake each other. */
	let last: Promise<void> = Promise.resolve();
	function inOrder(work: () => Promise<void>): Promise<void> {
		const done = last.then(work);
		last = done.catch(() => {});
		return done;
	}

	async function report(cut: Cut): Promise<void> {
		const lost: LostTransaction[] = [];
		try {
			for await (const { position, payload, isWhole } of readTransactions(log, cut.first, cut.last)) {
				const noted = notedIn(payload, isWhole);
				if (noted !== null) lost.push(lostOf({ ...position, clusterId, certain: cut.certain }, noted));
			}
		} catch (error) {
			// The cut must go on: whoever leads has other entries there.
			logger.error(
				{ ...cut, error: String(error) },
				"entries are cut that cannot be read: if writes in them were acknowledged early, nobody can say which",
			);
		}
		if (lost.length === 0) return;
		await disk.makeDirectory(lostDirectory);
		await disk.syncDirectory("");
		const isThere = (one: LostTransaction): boolean => reported.has(nameOf(one));
		const fresh = lost.filter((one) => !isThere(one));
		const told = new Set(fresh.slice(Math.max(0, most - reported.size)));
		tellInLog([...told]);
		const room = lost.filter((one) => !told.has(one));
		for (let start = 0; start < room.length; start += atOnce)
			await Promise.all(room.slice(start, start + atOnce).map(write));
		await disk.syncDirectory(lostDirectory);
		for (const { term, index } of room) reported.set(nameOf({ term, index }), { term, index });
		logger.warn(
			{ transactions: lost.length, first: cut.first, last: cut.last, certain: cut.certain },
			"writes that may have been acknowledged are lost: skein lost list",
		);
	}

	/** One line each, bounded: what a log line can hold is not known, and what nobody can read tells nobody. */
	function tellInLog(transactions: readonly LostTransaction[]): void {
		for (const { changes, ...transaction } of transactions.slice(0, maxLines))
			logger.error(
				{ ...transaction, changes: changes.length },
				"lost, and there is no room to report what it changed: dismiss reports (skein lost dismiss)",
			);
		const [first, ...more] = transactions.slice(maxLines);
		if (first === undefined) return;
		const last = more.at(-1) ?? first;
		logger.error(
			{ transactions: more.length + 1, first: nameOf(first), last: nameOf(last) },
			"as many more are lost, and there is no room to report them",
		);
	}

	async function recount(): Promise<void> {
		if (reported.size === 0) return;
		const names = new Set(await disk.list(lostDirectory));
		for (const name of reported.keys()) if (!names.has(name)) reported.delete(name);
	}

	async function write(transaction: LostTransaction): Promise<void> {
		const path = `${lostDirectory}/${nameOf(transaction)}`;
		const file = await disk.open(`${path}${temporary}`, { create: true });
		try {
			await file.truncate(0);
			await file.write(0, [new TextEncoder().encode(`${JSON.stringify(transaction, null, "\t")}\n`)]);
			await file.sync();
		} finally {
			await file.close();
		}
		await disk.rename(`${path}${temporary}`, path);
	}

	async function doubt(positions: readonly Position[]): Promise<void> {
		let doubted = 0;
		for (const position of positions) {
			const known = await read(position);
			if (!known.certain) continue;
			await write({ ...known, certain: false });
			doubted++;
		}
		if (doubted === 0) return;
		await disk.syncDirectory(lostDirectory);
		logger.info({ transactions: doubted }, "what was reported as lost may be in the snapshot that came");
	}

	async function read(position: Position): Promise<LostTransaction> {
		const file = await disk.open(`${lostDirectory}/${nameOf(position)}`, { create: false });
		try {
			return JSON.parse(new TextDecoder().decode(await file.read(0, await file.size()))) as LostTransaction;
		} finally {
			await file.close();
		}
	}

	async function withdraw(positions: readonly Position[]): Promise<void> {
		for (const position of positions) {
			const name = nameOf(position);
			await disk.remove(`${lostDirectory}/${name}`);
			reported.delete(name);
			logger.info({ ...position }, "what was reported as lost is in the log again");
		}
		// A crash before this is durable: `settle` withdraws them again, as long as the log has not been compacted.
		if (positions.length > 0) await disk.syncDirectory(lostDirectory);
	}

	return {
		get count() {
			return reported.size;
		},
		recount: () => inOrder(recount),
		report: (cut) => inOrder(() => report(cut)),
		async appended(entries) {
			if (reported.size === 0) return;
			await inOrder(() => withdraw(entries.filter((entry) => reported.has(nameOf(entry)))));
		},
		doubt: (mayBeCommitted) => inOrder(() => doubt([...reported.values()].filter(mayBeCommitted))),
		settle: (isInLog) => inOrder(() => withdraw([...reported.values()].filter(isInLog))),
	};
}

/** What is known of a reported entry when a snapshot comes. */
export interface Arrival {
	/** The last entry that the snapshot holds. */
	readonly holds: Position;
	/** Up to here this member knew what is committed before the snapshot came. */
	readonly commitIndex: LogIndex;
	/** In this member's log; null: not there. */
	readonly termAt: (index: LogIndex) => Term | null;
}

/**
 * Whether a reported entry may have come back inside a snapshot, committed after all (Raft, figure 8). It has where it is
 * in the log again, and that is not durable yet, so the report still stands. It has not where
 *
 * - it lies behind the snapshot: if it comes, it comes as an entry;
 * - this member knew what is committed there: the entry did not come then, or its report were withdrawn;
 * - the snapshot ends exactly there: it names the entry itself;
 * - the snapshot ends in an older term: the terms of a log never fall;
 * - this member's log goes through the snapshot's end: it is the same log up to there, and has another entry.
 *
 * Everything else is possible: the leader that cut it here need not have led for long, and a log that goes on in a
 * newer term may hold any older entry.
 */
export function mayHoldIt({ term, index }: Position, { holds, commitIndex, termAt }: Arrival): boolean {
	if (termAt(index) === term) return true;
	if (index <= commitIndex || index >= holds.index) return false;
	return term <= holds.term && termAt(holds.index) !== holds.term;
}

const temporary = ".making";

function nameOf({ term, index }: Position): string {
	return `${term}-${index}.json`;
}

function positionOf(name: string): Position | null {
	const numbers = /^(\d+)-(\d+)\.json$/.exec(name);
	return numbers === null ? null : { term: Number(numbers[1]), index: Number(numbers[2]) };
}

function lostOf(
	{ term, index, clusterId, certain }: Pick<LostTransaction, "term" | "index" | "clusterId" | "certain">,
	{ note, changes, isCut }: NotedTransaction,
): LostTransaction {
	const { client, idempotencyKey, wallTimeMs, acknowledgement } = note;
	return {
		term,
		index,
		clusterId,
		certain,
		client,
		idempotencyKey,
		wallTimeMs,
		acknowledgement: acknowledgementText(acknowledgement),
		changes,
		isCut,
	};
}
