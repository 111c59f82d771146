/**
 * Histories written by hand, one line an operation, for the tests of the checks:
 *
 *   ["A", 0, 2, "x=1"]              client A wrote 1 to x, from 0 to 2
 *   ["B", 1, 3, "x?1"]              a linearizable read of x saw 1 ("-": nothing)
 *   ["A", 4, null, "x=2"]           never completed
 *   ["A", 4, 5, "x=2", "failed"]    it certainly did not happen
 *   ["A", 4, 5, "x:1>2?1"]          compare-and-set from 1 to 2, which saw 1 (and so succeeded)
 *   ["A", 4, 5, "x+a?-"]            appended a to nothing
 *   ["A", 4, 5, "x?1 y=2"]          a transaction
 *
 * What is not said with "?" was not learned. At the same time invocations come before completions.
 */
import type { Completion, History, Outcome, ReadLevel, Step, Value } from "../history.ts";
import { createRecorder } from "../history.ts";

export interface Details {
	readonly outcome?: Outcome;
	readonly session?: string;
	readonly level?: ReadLevel["level"];
	readonly maxStalenessMs?: number;
	/** Of the request's idempotency key; attempts are counted here. */
	readonly key?: string;
	/** Index of the answer's position. */
	readonly index?: number;
	/** Given for what only reads: it goes the way of a write. */
	readonly mode?: "async" | "semi-sync" | "quorum" | "sync" | "chain";
	readonly replayed?: boolean;
	/** What the answer to a read says of its member. */
	readonly inSync?: boolean;
}

export type Line = readonly [
	client: string,
	from: number,
	to: number | null,
	steps: string,
	details?: Outcome | Details,
];

export function written(lines: readonly Line[]): History {
	let now = 0;
	const recorder = createRecorder(() => now);
	const attempts = new Map<string, number>();
	const events: { readonly at: number; readonly order: number; readonly happens: () => void }[] = [];
	for (const [client, from, to, text, given] of lines) {
		const details: Details = typeof given === "string" ? { outcome: given } : (given ?? {});
		const parsed = text.split(" ").map(parseStep);
		const steps = parsed.map(({ step }) => step);
		const onlyReads = details.mode === undefined && steps.every(({ kind }) => kind === "read");
		let id = -1;
		const invoke = (): void => {
			const { key } = details;
			const attempt = key === undefined ? 1 : (attempts.get(key) ?? 0) + 1;
			if (key !== undefined) attempts.set(key, attempt);
			id = recorder.invoke({
				client,
				session: details.session ?? null,
				steps,
				level: onlyReads ? levelOf(details) : null,
				acknowledgement: onlyReads ? null : (details.mode ?? "quorum"),
				node: "n1",
				idempotencyKey: key ?? null,
				attempt,
			});
		};
		const complete = (): void => {
			const outcome = details.outcome ?? "ok";
			const completion: Completion = {
				outcome,
				replayed: details.replayed ?? false,
				inSync: details.inSync ?? null,
				position: details.index === undefined ? null : { term: 1, index: details.index },
			};
			const seen = parsed.map((one) => one.seen);
			recorder.complete(id, outcome === "ok" ? { ...completion, seen } : completion);
		};
		events.push({ at: from, order: 0, happens: invoke });
		if (to !== null) events.push({ at: to, order: 1, happens: complete });
	}
	events.sort((one, other) => one.at - other.at || one.order - other.order);
	for (const { at, happens } of events) {
		now = at;
		happens();
	}
	return recorder.history;
}

function levelOf({ level, maxStalenessMs }: Details): ReadLevel {
	if (level === "bounded") return { level, maxStalenessMs: maxStalenessMs ?? 0 };
	return { level: level ?? "linearizable" };
}

function parseStep(text: string): { step: Step; seen: Value | undefined } {
	const match = /^(\w+)(?:=([^?]+)|:([^>]+)>([^?]+)|\+([^?]+))?(?:\?(.+))?$/u.exec(text);
	const [, key, write, expected, value, item, saw] = match ?? [];
	if (key === undefined) throw new Error(`no step: ${text}`);
	const seen = saw === undefined ? undefined : valueOf(saw);
	if (write !== undefined) return { step: { kind: "write", key, value: valueOf(write) }, seen };
	if (expected !== undefined && value !== undefined) {
		const step: Step = { kind: "compare-and-set", key, expected: valueOf(expected), value: valueOf(value) };
		return { step, seen };
	}
	if (item !== undefined) return { step: { kind: "append", key, value: item }, seen };
	return { step: { kind: "read", key }, seen };
}

const valueOf = (text: string): Value => (text === "-" ? null : text);
