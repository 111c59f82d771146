/**
 * `skein lost replay`: makes the changes of a lost transaction again, once, if it is lost for good and nothing that it
 * changed was changed since.
 *
 * Under the idempotency key of the lost request: a client that has sent it again itself has done what is asked for here,
 * and one that does so later is told that its key is used. The stored outcomes are pruned: where it is not known any more
 * whether its client has sent it again, only --force makes it again. What was made again stays in skein_replays for ever.
 */
import { type Client, connect, SkeinError, type StatementInput } from "../../../../client/src/index.ts";
import { defaultDatabaseSettings } from "../../database/settings.ts";
import type { LostTransaction } from "../../node/lost-transactions.ts";
import type { ClusterView } from "../../node/service.ts";
import { maxClockDrift } from "../../world/clock.ts";
import { commandLineClient } from "../client-options.ts";
import { marker, replayStatements, sure } from "./replay-statements.ts";
import { createScratchSchema, schemaQuery } from "./scratch-schema.ts";

export interface ReplayOptions {
	readonly url: readonly string[];
	/** TERM-INDEX */
	readonly name: string;
	readonly report: LostTransaction;
	/** It is on the disk of the member still. */
	readonly isReported: () => boolean;
	/** Also where a client's own second try may be doubled, or the report does not say its cluster. */
	readonly force: boolean;
}

export type Replayed =
	/** Its changes are in the database now. */
	| "replayed"
	/** They were made again by an earlier replay, whatever became of them since. */
	| "replayed before"
	/** Its client has sent it again itself. */
	| "sent again";

export async function replay(options: ReplayOptions): Promise<Replayed> {
	const { name, report, force } = options;
	if (report.isCut)
		throw new Error(`${name} is reported in part only, since it is large: it cannot be made again from that`);
	const url = await nodesOfItsCluster(options);
	const client = connect(url, commandLineClient);
	const replays = await client.execute("SELECT 1 FROM skein_replays WHERE report = ?", [recordOf(options)]);
	if (replays.rows.length > 0) return "replayed before";
	await refuseUnlessLost({ ...options, url });
	const { idempotencyKey: key } = report;
	if (key !== null) {
		const { rows } = await client.execute("SELECT 1 FROM skein_requests WHERE key = ?", [key]);
		if (rows.length > 0) return "sent again";
		if (!isHeader(key) && !force) throw severalParts(name);
	}
	const { rows: schemaRows } = await client.execute(schemaQuery);
	const texts = schemaRows.map(([sql]) => String(sql));
	using schema = createScratchSchema(texts);
	return await run(client, options, [
		{
			sql: "INSERT INTO skein_replays (report, at) VALUES (?, ?)",
			args: [recordOf(options), new Date().toISOString()],
		},
		...(key === null ? [] : [keyIsUnused(key)]),
		...(key === null || force ? [] : [outcomesAreKept(report.wallTimeMs, Date.now())]),
		schemaIsStill(texts),
		...replayStatements(report.changes, schema),
	]);
}

async function run(
	client: Client,
	{ name, report }: ReplayOptions,
	statements: readonly StatementInput[],
): Promise<Replayed> {
	const key = report.idempotencyKey;
	const isOfClient = key !== null && isHeader(key);
	// One of our own for each attempt: what failed must not be answered again.
	const idempotencyKey = isOfClient ? key : `skein lost ${name} ${new Date().toISOString()}`;
	try {
		if (isOfClient) await rehearse(client, statements);
		await client.batch(statements, { idempotencyKey, acknowledgement: "quorum" });
		return "replayed";
	} catch (error) {
		if (!(error instanceof SkeinError)) throw error;
		if (error.message.includes("UNIQUE constraint failed: skein_replays.report")) return "replayed before";
		if (error.extendedCode === "BAD_REQUEST_KEY" || error.message.includes(marker.key)) return "sent again";
		throw explained(error, name);
	}
}

/**
 * Fails as the statements would. A transaction that wrote before it failed is stored under its key: a replay that fails
 * would use up the key of the client, whose own second try would be refused.
 */
async function rehearse(client: Client, statements: readonly StatementInput[]): Promise<void> {
	try {
		await client.batch([...statements, sure({ sql: "0", args: [] }, marker.rehearsed)], {
			acknowledgement: "quorum",
		});
	} catch (error) {
		if (error instanceof SkeinError && error.message.includes(marker.rehearsed)) return;
		throw error;
	}
	throw new Error("a rehearsal was not taken back");
}

function explained(error: SkeinError, name: string): Error {
	const { message } = error;
	const nothing = `nothing of it was made again; skein lost show ${name} says what it did`;
	if (message.includes(marker.changed))
		return new Error(`a row that ${name} changed was changed since: ${nothing}`);
	if (message.includes(marker.forgotten))
		return new Error(
			`whether the client of ${name} has sent it again itself is no longer known, since outcomes of that time are not kept any more: look whether its changes are there; if not, --force makes them again`,
		);
	if (message.includes(marker.schema))
		return new Error(`the schema was changed meanwhile: nothing of ${name} was made again; try again`);
	const at = message.indexOf(marker.referred);
	if (at < 0) return error;
	const table = message.slice(at + marker.referred.length).replace(/'$/, "");
	return new Error(
		`rows of ${table} that ${name} did not know refer to a row that it deleted or changed, and would go or change with it: ${nothing}`,
	);
}

/** The same on every member that reports it. */
function recordOf({ name, report }: ReplayOptions): string {
	return `${name} ${report.client} ${report.wallTimeMs}`;
}

/** A client's own key. Those of a request's later parts have a line break, and no request can be sent under them. */
const isHeader = (key: string): boolean => /^[\x20-\x7e]{1,255}$/.test(key);

function severalParts(name: string): Error {
	return new Error(
		`${name} is a later part of a request of several: if its client sends that again, this part would happen twice; look whether its changes are there, and make them by hand, or with --force if its client will not send it again`,
	);
}

function keyIsUnused(key: string): StatementInput {
	return sure({ sql: "NOT EXISTS (SELECT 1 FROM skein_requests WHERE key = ?)", args: [key] }, marker.key);
}

/** A trigger or a foreign key that came in between would do more than the report says. */
function schemaIsStill(texts: readonly string[]): StatementInput {
	return sure(
		{
			sql: `(SELECT coalesce(group_concat(sql, char(10)), '') FROM (${schemaQuery})) = ?`,
			args: [texts.join("\n")],
		},
		marker.schema,
	);
}

/** That clocks may differ by. */
const maxSkewMs = 60_000;

/**
 * Had its client sent it again, the outcome would be here still. The oldest go first, by number and by age
 * (database/idempotency.ts). Their clock has no date, and passes no faster than time does (database/outcome-clock.ts):
 * - none that came after the loss can have gone by age if less time has passed since;
 * - none went by number if the first is here, or if what is here spans more time than has passed since the loss: then the
 *   oldest is from before it.
 */
function outcomesAreKept(wallTimeMs: number, nowMs: number): StatementInput {
	const passedMs = Math.ceil(Math.max(0, nowMs - wallTimeMs) * (1 + maxClockDrift)) + maxSkewMs;
	return sure(
		{
			sql: `NOT EXISTS (SELECT 1 FROM skein_requests) OR (? <= ?
				AND (SELECT number = 1 OR (SELECT at_ms FROM skein_requests ORDER BY number DESC LIMIT 1) - at_ms >= ?
					FROM skein_requests ORDER BY number LIMIT 1))`,
			args: [passedMs, defaultDatabaseSettings.storedOutcomeAgeMs, passedMs],
		},
		marker.forgotten,
	);
}

/** Those of the addresses that answer. Another cluster does not know the token either, and must not be written to. */
async function nodesOfItsCluster({ url, name, report, force }: ReplayOptions): Promise<string[]> {
	// A report of an earlier version does not say it.
	const clusterId = (report as Partial<LostTransaction>).clusterId ?? null;
	if (clusterId === null && !force)
		throw new Error(
			`the report of ${name} does not say which cluster it is of: make sure that --url is of that one, and say --force`,
		);
	const reached: string[] = [];
	let failure: unknown = null;
	for (const one of url) {
		try {
			const { cluster } = (await connect([one], commandLineClient).call("GET", "cluster")) as ClusterView;
			if (clusterId !== null && cluster !== clusterId)
				throw new Error(`${one} is of the cluster ${cluster}, and ${name} was lost in ${clusterId}`);
			reached.push(one);
		} catch (error) {
			if (!(error instanceof SkeinError)) throw error;
			failure = error;
		}
	}
	if (reached.length === 0) throw failure;
	return reached;
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
