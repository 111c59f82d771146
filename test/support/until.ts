/** Waiting on a condition with a deadline: the only way in which the cluster tests wait. */
import { setTimeout as sleep } from "node:timers/promises";

export interface UntilOptions {
	/** What is waited for, in words: it is in the error. */
	readonly what: string | (() => string);
	readonly timeoutMs: number;
	readonly everyMs?: number;
}

/** Calls `probe` until it gives something other than null or false; an error of the probe counts as "not yet". */
export async function until<T>(
	options: UntilOptions,
	probe: () => Promise<T | null | false> | T | null | false,
): Promise<T> {
	const deadline = performance.now() + options.timeoutMs;
	let last: unknown = null;
	for (;;) {
		try {
			const value = await probe();
			if (value !== null && value !== false) return value;
			last = value;
		} catch (error) {
			last = error;
		}
		if (performance.now() > deadline) {
			const seen = last instanceof Error ? last.message : String(last);
			const what = typeof options.what === "string" ? options.what : options.what();
			throw new Error(`waited ${options.timeoutMs} ms for ${what}; last seen: ${seen}`);
		}
		await sleep(options.everyMs ?? 20);
	}
}
