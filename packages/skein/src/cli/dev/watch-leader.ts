// Who leads, asked of the nodes again and again, so that `skein dev` can say when it changes.
import { setTimeout as sleep } from "node:timers/promises";

export interface Leadership {
	readonly leader: string | null;
	readonly term: number;
}

const requestTimeoutMs = 1_000;
/** A kept connection would make a node that stops wait for it. */
const headers = { connection: "close" };
const pauseMs = 300;

/** What the node that knows the highest term says; null when no node answers. */
export async function askLeadership(urls: readonly string[]): Promise<Leadership | null> {
	const views = await Promise.all(urls.map(askOne));
	return views.reduce((best, view) => (view !== null && view.term >= (best?.term ?? 0) ? view : best), null);
}

async function askOne(url: string): Promise<Leadership | null> {
	const body = await getJson(`${url}/cluster`);
	if (typeof body !== "object" || body === null || !("databases" in body)) return null;
	const { databases } = body;
	if (typeof databases !== "object" || databases === null || !("default" in databases)) return null;
	const group = databases.default;
	if (typeof group !== "object" || group === null || !("term" in group) || !("leader" in group)) return null;
	return { term: Number(group.term), leader: typeof group.leader === "string" ? group.leader : null };
}

export async function isReady(url: string): Promise<boolean> {
	try {
		const response = await fetch(`${url}/ready`, { headers, signal: AbortSignal.timeout(requestTimeoutMs) });
		await response.body?.cancel();
		return response.ok;
	} catch {
		return false;
	}
}

async function getJson(url: string): Promise<unknown> {
	try {
		const response = await fetch(url, { headers, signal: AbortSignal.timeout(requestTimeoutMs) });
		return await response.json();
	} catch {
		return null;
	}
}

/** Calls `changed` for each new leader until `signal` is aborted. */
export async function watchLeader(
	urls: readonly string[],
	first: Leadership | null,
	signal: AbortSignal,
	changed: (leadership: Leadership) => void,
): Promise<void> {
	let known = first;
	let polls = 0;
	while (!signal.aborted) {
		const now = await askLeadership(urls);
		const isNews = now !== null && now.term >= (known?.term ?? 0) && now.leader !== known?.leader;
		polls = isNews ? polls + 1 : 0;
		// That nobody leads is news only when it lasts: it is part of every change.
		if (isNews && !signal.aborted && (now.leader !== null || polls > 2)) {
			known = now;
			changed(now);
		}
		await sleep(pauseMs, undefined, { signal }).catch(() => {});
	}
}
