/**
 * The wal format: the pages of the database as they are behind a transaction, as SQLite itself writes them. So whatever
 * SQLite can do is replicated, and members' databases are the same byte for byte. docs/decisions/wal-format.md has the
 * argument.
 *
 * Capture: the transaction is committed in SQLite, its pages are read, and it is taken back at once, while nobody can
 * begin to read. Apply: the pages are written as one transaction, with the page of skein_state; on a leader as well,
 * when the log has committed the entry. So nothing is in the file but what is committed.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Position } from "../../consensus/types.ts";
import { valuesByNumber } from "../arguments.ts";
import type { BeginGate } from "../begin-gate.ts";
import type { DatabaseState } from "../database.ts";
import { createFormatReader, fillState, isUnfinished, markUnfinished, readState } from "../own-tables.ts";
import { schemaVersionOf, withoutHistory, withSchemaVersion } from "../pages/first-page.ts";
import {
	createPageStore,
	framesAtOnce,
	type PageStore,
	type Pages,
	type PageTransaction,
	pagesInMemory,
} from "../pages/page-store.ts";
import { encodeStatePages, type StatePages, textThatFills } from "../pages/state-pages.ts";
import type { StatementKind } from "../parsed-statement.ts";
import type { Value } from "../program.ts";
import { encodeSettingChange, type SettingChange } from "../setting-change.ts";
import type { TransactionNote } from "../transaction-note.ts";
import type { Capture, ClientStatement } from "./format.ts";
import { createIncomingPages, type IncomingPages } from "./incoming-pages.ts";
import { decodePages, encodePages, type LoggedPages, loggedBytes } from "./logged-pages.ts";
import { decodePayload, encodePayloadBefore, type Part } from "./payload.ts";

type StoredConfiguration = DatabaseState["configuration"];

export interface WalFormat {
	readonly name: "wal";
	beginCapture(connection: DatabaseSync): Capture;
	/** Of the whole database, as it is inside the open transaction, which is rolled back: what makes members' files the same. */
	captureAll(connection: DatabaseSync): Uint8Array;
	/** What the open transaction chooses, with the pages that hold it. */
	captureSetting(connection: DatabaseSync, change: SettingChange): Uint8Array;
	/** Something was captured, and neither written nor discarded. */
	readonly isWaiting: boolean;
	/** Writes what was captured, if anything was, with the state, as one transaction. `configuration` null: as it was. */
	write(connection: DatabaseSync, applied: Position, configuration: StoredConfiguration): void;
	/** The next piece of a payload that is too large to be put together. Nothing counts before `publish`. */
	addPiece(connection: DatabaseSync, piece: Uint8Array, isFirst: boolean): void;
	/** All pieces have come: their pages count, with the state, as one transaction. */
	publish(connection: DatabaseSync, applied: Position): void;
	/** Applies payloads, one behind the other, with the state, as one transaction. */
	apply(
		connection: DatabaseSync,
		payloads: readonly Uint8Array[],
		applied: Position,
		configuration: StoredConfiguration,
	): void;
	discard(): void;
	/** SQL wrote the state, or may have. */
	forget(): void;
	/** Whoever opens the file: a process that ended in the middle of a capture left what was not taken back. */
	takeBackUnfinished(connection: DatabaseSync): void;
	close(): void;
}

const changing: ReadonlySet<StatementKind> = new Set(["write", "schema", "pragma-write"]);
/** Of one transaction, for the report of its loss: one more than it shows, so that it says that there are more. */
const maxTold = 1_001;

interface Known {
	readonly state: DatabaseState;
	readonly pages: StatePages;
}

/** What was captured. `isTaken`: its pages lie in the write-ahead file, at or behind the places that they go to. */
interface Waiting {
	readonly logged: LoggedPages;
	readonly isTaken: boolean;
}

/** Of a payload whose pieces come one by one. */
interface Incoming {
	readonly pages: IncomingPages;
	/** Null: it has not told of its pages yet. */
	transaction: PageTransaction | null;
}

interface LastPages {
	readonly logged: LoggedPages;
	/** Of these, what is not written yet. */
	readonly pages: ReadonlyMap<number, Uint8Array>;
	readonly applied: Position;
	readonly configuration: StoredConfiguration;
}

interface Told {
	readonly sql: string;
	readonly client: ClientStatement | null;
}

export function createWalFormat(gate: BeginGate): WalFormat {
	let opened: PageStore | null = null;
	let waiting: Waiting | null = null;
	let incoming: Incoming | null = null;
	let known: Known | null = null;

	/** Of the one database that this writes. */
	function storeOf(connection: DatabaseSync): PageStore {
		const path = connection.location();
		if (path === null) throw new Error("a database without a file has no pages to log");
		opened ??= createPageStore(path);
		return opened;
	}

	/** What the file holds of the state, as long as nobody else writes it. */
	function knownOf(connection: DatabaseSync): Known {
		known ??= {
			state: readState(connection),
			pages: { pageBytes: pageBytesOf(connection), numbers: statePagesOf(connection) },
		};
		return known;
	}

	/** What SQLite commits here nobody else can have seen when it is taken back. */
	function commitAndTakeBack(connection: DatabaseSync, { state, pages }: Known): Pages {
		const store = storeOf(connection);
		return gate.whileClosed(() => {
			markUnfinished(connection, (index) => textThatFills(pages.pageBytes, state, index));
			const mark = store.mark();
			connection.exec("COMMIT");
			try {
				return store.takeBack(connection, mark);
			} catch (error) {
				if (isUnfinished(connection)) store.takeBackLast(connection);
				throw error;
			}
		});
	}

	/** Ends the transaction with the state. */
	function publish(connection: DatabaseSync, transaction: PageTransaction, last: LastPages): void {
		const { logged, applied, configuration } = last;
		const before = knownOf(connection);
		const isWhole = logged.statePages.length > 0;
		const pages = isWhole ? { pageBytes: logged.pageBytes, numbers: logged.statePages } : before.pages;
		const state = { ...before.state, applied, configuration: configuration ?? before.state.configuration };
		const ours = encodeStatePages(pages, state, isWhole || configuration !== null);
		known = null;
		transaction.publish(logged.size, new Map([...last.pages, ...ours]));
		known = { state, pages };
	}

	function write(
		connection: DatabaseSync,
		{ logged, isTaken }: Waiting,
		applied: Position,
		configuration: StoredConfiguration,
	): void {
		incoming = null;
		const transaction = storeOf(connection).begin(connection, logged.pageBytes, isTaken);
		const isSmall = logged.numbers.length <= framesAtOnce;
		if (!isSmall) transaction.append(logged.read());
		const pages = new Map(isSmall ? logged.read() : []);
		publish(connection, transaction, { logged, pages, applied, configuration });
	}

	/** Nothing but the state changes. */
	function nothing(connection: DatabaseSync): LoggedPages {
		const size = Number(connection.prepare("PRAGMA page_count").get()?.["page_count"]);
		return { ...pagesInMemory(pageBytesOf(connection), size, new Map()), statePages: [] };
	}

	function expectFitting(connection: DatabaseSync, statePages: readonly number[]): void {
		if (statePages.length === 0 && createFormatReader(connection)() !== "wal")
			throw new Error("logged pages do not fit a database that has its own");
	}

	return {
		name: "wal",
		beginCapture(connection) {
			if (waiting !== null) throw new Error("what was captured before is not written yet");
			return createCapture(connection, {
				take() {
					const current = knownOf(connection);
					const taken = commitAndTakeBack(connection, current);
					const logged = asLogged(taken, current.pages.numbers);
					if (logged.numbers.length === 0) return null;
					waiting = { logged, isTaken: true };
					return logged;
				},
			});
		},
		captureAll(connection) {
			if (waiting !== null) throw new Error("what was captured before is not written yet");
			const state = readState(connection);
			const pageBytes = pageBytesOf(connection);
			fillState(connection, textThatFills(pageBytes, state, state.applied.index));
			const statePages = statePagesOf(connection);
			const image = connection.serialize();
			connection.exec("ROLLBACK");
			const logged = { ...asLogged(wholeImage(image, pageBytes), statePages), statePages };
			waiting = { logged, isTaken: false };
			return encodeLogged([], logged);
		},
		captureSetting(connection, change) {
			if (waiting !== null) throw new Error("what was captured before is not written yet");
			const current = knownOf(connection);
			const logged = asLogged(commitAndTakeBack(connection, current), current.pages.numbers);
			// Also where it was chosen before: the entry says so again.
			waiting = { logged, isTaken: logged.numbers.length > 0 };
			return encodeLogged([{ type: "setting", bytes: encodeSettingChange(change) }], logged);
		},
		get isWaiting() {
			return waiting !== null;
		},
		write(connection, applied, configuration) {
			const written = waiting ?? { logged: nothing(connection), isTaken: false };
			// If it fails, what it has written lies where its pages did.
			waiting = null;
			write(connection, written, applied, configuration);
		},
		addPiece(connection, piece, isFirst) {
			if (isFirst) incoming = { pages: createIncomingPages(), transaction: null };
			if (incoming === null) throw new Error("a piece of a payload that never began");
			const pages = incoming.pages.add(piece);
			const { head } = incoming.pages;
			if (head === null) return;
			if (incoming.transaction === null) {
				expectFitting(connection, head.statePages);
				incoming.transaction = storeOf(connection).begin(connection, head.pageBytes, false);
			}
			incoming.transaction.append(pages);
		},
		publish(connection, applied) {
			if (incoming === null) throw new Error("nothing has come that could be published");
			const { pages, transaction } = incoming;
			const { head, isWhole } = pages;
			incoming = null;
			if (head === null || transaction === null || !isWhole)
				throw new Error("a payload in pieces ends too early");
			const logged = { ...pagesInMemory(head.pageBytes, head.size, new Map()), statePages: head.statePages };
			publish(connection, transaction, { logged, pages: new Map(), applied, configuration: null });
		},
		apply(connection, payloads, applied, configuration) {
			let { size, statePages, pageBytes } = nothing(connection);
			const pages = new Map<number, Uint8Array>();
			for (const [at, payload] of payloads.entries()) {
				const next = pagesOf(payload);
				if (at === 0) expectFitting(connection, next.statePages);
				if (next.statePages.length > 0) ({ statePages } = next);
				({ size, pageBytes } = next);
				for (const [page, bytes] of next.read()) pages.set(page, bytes);
			}
			// Of pages that a later entry cut off.
			for (const page of pages.keys()) if (page > size) pages.delete(page);
			const logged = { ...pagesInMemory(pageBytes, size, pages), statePages };
			write(connection, { logged, isTaken: false }, applied, configuration);
		},
		forget() {
			known = null;
		},
		discard() {
			waiting = null;
			incoming = null;
		},
		takeBackUnfinished(connection) {
			if (!isUnfinished(connection)) return;
			if (!storeOf(connection).takeBackLast(connection) || isUnfinished(connection))
				throw new Error(
					"the database holds a transaction that this node never finished, and another program has removed SQLite's write-ahead file beside it: move the data away, this member comes back under a new id",
				);
		},
		close() {
			opened?.close();
			opened = null;
			known = null;
		},
	};
}

/**
 * Members' versions of the schema differ by their histories, and a connection that knows one takes the same number for the
 * same schema. So the number moves to where none of them has been.
 */
const schemaVersionsAhead = 1 << 20;

function wholeImage(image: Uint8Array, pageBytes: number): Pages {
	const size = image.length / pageBytes;
	const pages = new Map<number, Uint8Array>();
	for (let page = 1; page <= size; page++)
		pages.set(page, image.subarray((page - 1) * pageBytes, page * pageBytes));
	const first = image.subarray(0, pageBytes);
	pages.set(1, withSchemaVersion(first, schemaVersionOf(first) + schemaVersionsAhead));
	return pagesInMemory(pageBytes, size, pages);
}

/** The first page comes without its history, and skein_state's not at all. */
function asLogged(pages: Pages, statePages: readonly number[]): LoggedPages {
	const left = new Set(statePages);
	return {
		pageBytes: pages.pageBytes,
		size: pages.size,
		statePages: [],
		numbers: pages.numbers.filter((page) => !left.has(page)),
		*read() {
			for (const [page, bytes] of pages.read())
				if (!left.has(page)) yield [page, page === 1 ? withoutHistory(bytes) : bytes];
		},
	};
}

/** The payload of these parts and pages. */
function encodeLogged(parts: readonly Part[], logged: LoggedPages): Uint8Array {
	const last = { type: "pages", bytes: loggedBytes(logged) } as const;
	const { payload, body } = encodePayloadBefore(parts, "wal", last);
	encodePages(logged, body);
	return payload;
}

function pagesOf(payload: Uint8Array): LoggedPages {
	const part = decodePayload(payload).find((one) => one.type === "pages");
	if (part?.type !== "pages") throw new Error("a payload of the format wal without pages");
	return decodePages(part.bytes);
}

/** The table's own page, and those on which its row goes on, in their order. */
function statePagesOf(connection: DatabaseSync): number[] {
	return connection
		.prepare("SELECT pageno FROM dbstat('main') WHERE name = 'skein_state' ORDER BY path")
		.all()
		.map((row) => Number(row["pageno"]));
}

function pageBytesOf(connection: DatabaseSync): number {
	return Number(connection.prepare("PRAGMA main.page_size").get()?.["page_size"]);
}

function createCapture(connection: DatabaseSync, { take }: { take: () => LoggedPages | null }): Capture {
	let changed = false;
	let told: Told[] = [];
	let toldBefore = 0;

	/** Of its client, for the report of a loss. */
	function partsBefore(note: TransactionNote | null): Part[] {
		return note === null ? [] : [{ type: "note", note }, ...told.map(toldPart)];
	}

	return {
		beginRequest() {
			toldBefore = told.length;
		},
		statement(kind, sql, run, client) {
			// Also if it fails: OR FAIL keeps the rows before the one that failed.
			changed ||= changing.has(kind);
			const isClients = client !== null || !changing.has(kind);
			if (isClients && kind !== "read" && told.length < maxTold) told.push({ sql, client });
			return run();
		},
		requestRolledBack() {
			told = told.slice(0, toldBefore);
		},
		// Not known before SQLite has committed: the payload of the group is looked at.
		requestBytes: () => 0,
		finish(note) {
			if (!connection.isTransaction) return null;
			const logged = changed ? take() : null;
			if (connection.isTransaction) connection.exec("ROLLBACK");
			return logged === null ? null : encodeLogged(partsBefore(note), logged);
		},
		discard() {},
	};
}

/** What its client sent, for the report of its loss. What came of it is not told. */
function toldPart({ sql, client }: Told): Part {
	const values: readonly Value[] = client === null ? [] : valuesByNumber(client.statement, client.parameters);
	return { type: "statement", statement: { sql, values, firesTriggers: false, changes: 0, lastRowid: null } };
}
