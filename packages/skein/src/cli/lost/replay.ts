/**
 * `skein lost replay`: makes the changes of a lost transaction again, once, if it is lost for good and nothing that it
 * changed was changed since.
 *
 * Under the idempotency key of the lost request: a client that has sent it again itself has done what is asked for here,
 * and one that does so later is told that its key is used.
 */
import { type Client, connect, SkeinError } from "../../../../client/src/index.ts";
import type { LostTransaction } from "../../node/lost-transactions.ts";
import type { ClusterView } from "../../node/service.ts";
import { commandLineClient } from "../client-options.ts";
import { conflictMessage, replayStatements } from "./replay-statements.ts";

export interface ReplayOptions {
	readonly url: readonly string[];
	/** TERM-INDEX */
	readonly name: string;
	readonly report: LostTransaction;
	/** It is on the disk of the member still. */
	readonly isReported: () => boolean;
}

export type Replayed =
	/** Its changes are in the database now. */
	| "replayed"
	/** Its client has sent it again itself. */
	| "sent again";

export async function replay(options: ReplayOptions): Promise<Replayed> {
	const { url, name, report } = options;
	if (report.isCut)
		throw new Error(`${name} is reported in part only, since it is large: it cannot be made again from that`);
	await refuseUnlessLost(options);
	const client = connect(url, commandLineClient);
	const tables = new Set(report.changes.flatMap((change) => ("table" in change ? change.table : [])));
	const columns = new Map<string, readonly string[]>();
	for (const table of tables) {
		await refuseTriggers(client, name, table);
		columns.set(table, await columnsOf(client, table));
	}
	const statements = replayStatements(report.changes, (table) => columns.get(table) ?? []);
	const idempotencyKey = report.idempotencyKey ?? `skein lost ${name}`;
	try {
		await client.batch(statements, { idempotencyKey, acknowledgement: "quorum" });
		return "replayed";
	} catch (error) {
		if (!(error instanceof SkeinError)) throw error;
		if (error.extendedCode === "BAD_REQUEST_KEY") return "sent again";
		if (error.code === "SQLITE_ERROR" && error.message.includes(conflictMessage))
			throw new Error(
				`a row that ${name} changed was changed since: nothing of it was made again; skein lost show ${name} says what it did`,
			);
		throw error;
	}
}

/**
 * An entry that one leader cut can come back under another, and then its report is withdrawn. So it must be sure that this
 * cannot be any more: the cluster knows another entry at its place, or every member has applied what is there.
 */
async function refuseUnlessLost({ url, name, report, isReported }: ReplayOptions): Promise<void> {
	if (await isRefused(url, `${report.term}.${report.index}`)) return;
	if (report.certain && (await haveAllApplied(connect(url, commandLineClient), report.index)) && isReported())
		return;
	throw new Error(
		report.certain
			? `it is not sure yet that ${name} is lost: some member has not said that it is beyond ${report.index}; try again when all run`
			: `${name} may have been committed, behind a snapshot that took its place: look whether its changes are there, and make them by hand if not`,
	);
}

/** A session that had seen it is told that it is lost. */
async function isRefused(url: readonly string[], token: string): Promise<boolean> {
	const session = connect(url, { ...commandLineClient, headers: { "skein-session": token } });
	try {
		await session.execute("SELECT 1", [], { consistency: "session", timeoutMs: 5_000 });
		return false;
	} catch (error) {
		if (!(error instanceof SkeinError)) throw error;
		if (error.extendedCode === "BAD_REQUEST_SESSION") return true;
		// Nobody can say.
		if (error.code === "TIMEOUT") return false;
		throw error;
	}
}

async function haveAllApplied(client: Client, index: number): Promise<boolean> {
	const view = (await client.call("GET", "cluster")) as Partial<ClusterView>;
	const members = Object.values(view.databases?.["default"]?.members ?? {});
	return (
		members.length > 0 &&
		members.every(({ appliedIndex, reachable }) => reachable && (appliedIndex ?? 0) >= index)
	);
}

/** They ran when it was written, and what they changed is among its changes. They would run again. */
async function refuseTriggers(client: Client, name: string, table: string): Promise<void> {
	const { rows } = await client.execute(
		"SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE",
		[table],
	);
	const [trigger] = rows;
	if (trigger !== undefined)
		throw new Error(
			`the table ${table} has the trigger ${String(trigger[0])}, which would run once more: make the changes of ${name} by hand, as skein lost show has them`,
		);
}

async function columnsOf(client: Client, table: string): Promise<string[]> {
	const { rows } = await client.execute(
		"SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid",
		[table],
	);
	return rows.map(([column]) => String(column));
}
