/**
 * The bank ledger: the work that runs under every fault. Accounts with a constant total; clients
 * move money between random accounts through random nodes, each transfer one transaction with an id
 * of its own; some with an idempotency key and retries, the others sent once. What the clients were
 * told is written down, and afterwards every member must agree with it:
 * an acknowledged transfer is there exactly once, one that certainly did not happen is not there, an unknown one
 * at most once; the total is what it was; each balance is the sum of its transfers.
 */
import { randomInt, randomUUID } from "node:crypto";
import { expect } from "vitest";
import { run, type SqlAnswer, sql } from "./http.ts";
import { until } from "./until.ts";

const accounts = 20;
const openingBalance = 1_000;

/** What the ledger needs of a cluster. */
interface LedgerCluster {
	readonly urls: readonly string[];
	readonly nodes: readonly LedgerNode[];
	leader(): Promise<LedgerNode>;
	caughtUp(): Promise<void>;
}

interface LedgerNode {
	readonly id: string;
	readonly url: string;
	readonly isRunning: boolean;
}

export interface LedgerOptions {
	readonly clients?: number;
	/** A client that got no answer for this long gives up: the outcome is unknown. */
	readonly requestTimeoutMs?: number;
}

export interface LedgerReport {
	readonly acknowledged: number;
	readonly refused: number;
	readonly unknown: number;
	/** The longest time in which no transfer was acknowledged, while the ledger ran. */
	readonly longestGapMs: number;
	/** Every code that a client was told, with how often. */
	readonly failures: Readonly<Record<string, number>>;
}

export interface Ledger {
	readonly acknowledged: number;
	/** Resolves when this many more transfers are acknowledged: the cluster works (again). */
	progress(count: number, timeoutMs?: number): Promise<void>;
	/** Ends the clients, heals nothing, checks nothing. */
	stop(): Promise<LedgerReport>;
	/** After `stop`: the promises above, on every running member. */
	check(): Promise<void>;
}

type Fate = "acknowledged" | "refused" | "unknown";

interface Attempt {
	readonly answer: SqlAnswer;
	readonly fate: Fate;
}

export async function openLedger(cluster: LedgerCluster, options: LedgerOptions = {}): Promise<Ledger> {
	const tag = randomUUID().slice(0, 8);
	const account = `account_${tag}`;
	const transfer = `transfer_${tag}`;
	const { url } = await cluster.leader();
	const rows = Array.from({ length: accounts }, (_, id) => `(${id}, ${openingBalance})`).join(",");
	await run(url, `create table ${account} (id integer primary key, balance integer not null) strict`);
	// No unique key on the id: a transfer that happened twice must be seen, not refused.
	await run(
		url,
		`create table ${transfer} (id text not null, source integer, target integer, amount integer)`,
	);
	await run(url, `insert into ${account} values ${rows}`);

	const fates = new Map<string, Fate>();
	const failures: Record<string, number> = {};
	let acknowledged = 0;
	let lastAcknowledged = performance.now();
	let longestGapMs = 0;
	let isStopping = false;

	function note(id: string, fate: Fate): void {
		fates.set(id, fate);
		if (fate !== "acknowledged") return;
		acknowledged += 1;
		const now = performance.now();
		longestGapMs = Math.max(longestGapMs, now - lastAcknowledged);
		lastAcknowledged = now;
	}

	async function attempt(statements: readonly { sql: string }[], key: string | null): Promise<Attempt> {
		const node = cluster.urls[randomInt(cluster.urls.length)] ?? url;
		const answer = await sql(node, statements, {
			timeoutMs: options.requestTimeoutMs ?? 5_000,
			...(key === null ? {} : { idempotencyKey: key }),
		});
		if (answer.ok) return { answer, fate: "acknowledged" };
		failures[answer.code] = (failures[answer.code] ?? 0) + 1;
		if (answer.outcome === "happened") return { answer, fate: "acknowledged" };
		return { answer, fate: answer.outcome === "unknown" ? "unknown" : "refused" };
	}

	async function oneTransfer(): Promise<void> {
		const id = randomUUID();
		const source = randomInt(accounts);
		const target = (source + 1 + randomInt(accounts - 1)) % accounts;
		const amount = 1 + randomInt(10);
		const statements = [
			{ sql: `update ${account} set balance = balance - ${amount} where id = ${source}` },
			{ sql: `update ${account} set balance = balance + ${amount} where id = ${target}` },
			{ sql: `insert into ${transfer} values ('${id}', ${source}, ${target}, ${amount})` },
		];
		const key = randomInt(2) === 0 ? `ledger-${id}` : null;
		let fate: Fate = "refused";
		// With a key it may be sent again, as often as one likes; without, never after an unknown outcome.
		for (let tries = 0; tries < 20; tries += 1) {
			const tried = await attempt(statements, key);
			if (tried.fate === "acknowledged") fate = "acknowledged";
			// Once unknown, a later refusal of another try says nothing about the first.
			else if (tried.fate === "unknown") fate = "unknown";
			if (fate === "acknowledged" || isStopping || (key === null && fate === "unknown")) break;
			await pauseAfterFailure();
		}
		note(id, fate);
	}

	/** Not a wait for anything: a client that was refused does not hammer. */
	const pauseAfterFailure = (): Promise<void> =>
		new Promise((resolve) => setTimeout(resolve, 5 + randomInt(20)));

	const clients = Array.from({ length: options.clients ?? 8 }, async () => {
		while (!isStopping) await oneTransfer();
	});

	return {
		get acknowledged() {
			return acknowledged;
		},
		async progress(count, timeoutMs = 15_000) {
			const goal = acknowledged + count;
			await until(
				{ what: () => `${count} more acknowledged transfers (${JSON.stringify(failures)})`, timeoutMs },
				() => acknowledged >= goal,
			);
		},
		async stop() {
			isStopping = true;
			await Promise.all(clients);
			const count = (fate: Fate): number => [...fates.values()].filter((seen) => seen === fate).length;
			return { acknowledged, refused: count("refused"), unknown: count("unknown"), longestGapMs, failures };
		},
		async check() {
			if (!isStopping) throw new Error("stop the ledger before it is checked");
			// A ledger in which nothing happened proves nothing.
			expect(acknowledged).toBeGreaterThan(0);
			await cluster.caughtUp();
			for (const node of cluster.nodes.filter((candidate) => candidate.isRunning)) {
				await checkMember(node.url, node.id);
			}
		},
	};

	async function checkMember(at: string, member: string): Promise<void> {
		const ask = (text: string) => run(at, text, [], { consistency: "eventual" });
		const total = await ask(`select sum(balance) from ${account}`);
		expect(total.rows, `the total on ${member}`).toEqual([[accounts * openingBalance]]);
		const wrong = await ask(
			`select id, balance from ${account} a where balance <> ${openingBalance}
				+ (select coalesce(sum(amount), 0) from ${transfer} where target = a.id)
				- (select coalesce(sum(amount), 0) from ${transfer} where source = a.id)`,
		);
		expect(wrong.rows, `balances that are not the sum of their transfers on ${member}`).toEqual([]);
		const found = new Map<string, number>();
		const stored = await ask(`select id, count(*) from ${transfer} group by id`);
		for (const [id, count] of stored.rows) found.set(JSON.stringify(id).slice(1, -1), Number(count));
		const lost: string[] = [];
		const undead: string[] = [];
		for (const [id, fate] of fates) {
			if (fate === "acknowledged" && !found.has(id)) lost.push(id);
			if (fate === "refused" && found.has(id)) undead.push(id);
		}
		expect(lost, `acknowledged transfers that ${member} lost`).toEqual([]);
		expect(undead, `transfers that "did not happen" and did on ${member}`).toEqual([]);
		expect(
			[...found].filter(([, count]) => count > 1),
			`transfers that happened twice on ${member}`,
		).toEqual([]);
		expect(
			[...found.keys()].filter((id) => !fates.has(id)),
			`transfers of nobody on ${member}`,
		).toEqual([]);
	}
}
