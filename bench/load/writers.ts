// Clients that write through failures with Skein's own client, and keep what they were told: when each write
// began and was acknowledged, and its id, so that afterwards nothing acknowledged may be missing.
import { setTimeout as sleep } from "node:timers/promises";
import { connect, SkeinError } from "../../packages/client/src/index.ts";
import { run as sqlRun } from "../../test/support/http.ts";
import { until } from "../../test/support/until.ts";
import type { Node } from "../skein/cluster.ts";

export interface Write {
	readonly id: number;
	readonly startedAt: number;
	readonly endedAt: number;
}

export interface Writers {
	readonly acknowledged: readonly Write[];
	/** Errors that came through to the caller, by code. */
	readonly errors: ReadonlyMap<string, number>;
	/** Acknowledged writes that began after this moment: waits until there is one, and gives the first to end. */
	firstAfter(moment: number, timeoutMs: number): Promise<Write>;
	stop(): Promise<void>;
}

export const writersTable = "ledger";

export async function createWritersTable(url: string): Promise<void> {
	await sqlRun(url, `create table ${writersTable} (id integer primary key, payload text)`);
}

const payload = "x".repeat(100);

/** As many clients as asked for, their first node in turn one and the next; ids grow from `firstId`. */
export function startWriters(nodes: readonly Node[], count: number, firstId: number): Writers {
	const acknowledged: Write[] = [];
	const errors = new Map<string, number>();
	let nextId = firstId;
	let isStopping = false;

	const work = async (first: number): Promise<void> => {
		const urls = nodes.map((_, index) => nodes[(first + index) % nodes.length]?.url ?? "");
		const client = connect(urls);
		while (!isStopping) {
			const id = nextId++;
			const startedAt = performance.now();
			try {
				await client.execute(`insert into ${writersTable} values (?, ?)`, [id, payload]);
				acknowledged.push({ id, startedAt, endedAt: performance.now() });
			} catch (error) {
				if (!(error instanceof SkeinError)) throw error;
				errors.set(error.code, (errors.get(error.code) ?? 0) + 1);
				await sleep(10);
			}
		}
	};
	const clients = Array.from({ length: count }, (_, index) => work(index));
	return {
		acknowledged,
		errors,
		async firstAfter(moment, timeoutMs) {
			return await until({ what: "an acknowledged write", timeoutMs, everyMs: 5 }, () => {
				const after = acknowledged.filter((write) => write.startedAt > moment);
				return after.toSorted((a, b) => a.endedAt - b.endedAt)[0] ?? null;
			});
		},
		async stop() {
			isStopping = true;
			await Promise.all(clients);
		},
	};
}

/** Acknowledged ids that one of the nodes does not have, once it has applied all that is committed. */
export async function lostWrites(nodes: readonly Node[], acknowledged: ReadonlySet<number>): Promise<number> {
	let most = 0;
	for (const node of nodes) {
		// A linearizable read on a follower waits until it has applied everything.
		const found = await sqlRun(node.url, `select id from ${writersTable}`, [], { timeoutMs: 60_000 });
		const stored = new Set(found.rows.map(([id]) => Number(id)));
		most = Math.max(most, [...acknowledged].filter((id) => !stored.has(id)).length);
	}
	return most;
}
