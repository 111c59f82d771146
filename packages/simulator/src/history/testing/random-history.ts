/**
 * Random histories of a correct register machine, whose operations take effect at one moment between
 * invocation and completion, and now and then end unknown. With `lies` some answers are stale: such a
 * history may be bad, it need not.
 */
import { createChance } from "../../engine/chance.ts";
import type { History, Key, Seen, Step, Value } from "../history.ts";
import { after, createRecorder } from "../history.ts";

export interface RandomHistoryOptions {
	readonly operations: number;
	readonly clients: number;
	readonly keys: number;
	/** few: from three values, also deletes; the outcome of a compare-and-set is not always learned. */
	readonly values: "unique" | "few";
	/** Answers say where in the log they are. */
	readonly positions?: boolean;
	/** How many answers to spoil. */
	readonly lies?: number;
}

interface Running {
	readonly id: number;
	readonly steps: readonly Step[];
	/** null: it has not taken effect yet. */
	seen: Seen[] | null;
	index: number;
	/** The client does not wait for it any more. */
	abandoned: boolean;
}

export function randomHistory(seed: number, options: RandomHistoryOptions): History {
	const chance = createChance(seed);
	let now = 0;
	const recorder = createRecorder(() => now);
	const state = new Map<Key, Value>();
	const past = new Map<Key, Value[]>();
	const running: Running[] = [];
	let lies = options.lies ?? 0;
	let invoked = 0;
	let values = 0;
	let index = 0;

	function value(): string {
		return options.values === "unique" ? `v${values++};` : `${chance.below(3)};`;
	}

	function step(): Step {
		const key = `k${chance.below(options.keys)}`;
		const kind = chance.below(10);
		if (kind < 4) return { kind: "read", key };
		if (kind < 7) {
			const deletes = options.values === "few" && chance.happens(0.2);
			return { kind: "write", key, value: deletes ? null : value() };
		}
		if (kind === 7) return { kind: "append", key, value: value().slice(0, -1) };
		const expected = chance.happens(0.8) ? (state.get(key) ?? null) : value();
		return { kind: "compare-and-set", key, expected, value: value() };
	}

	function invoke(): void {
		const steps = Array.from({ length: chance.happens(0.15) ? 2 : 1 }, step);
		const onlyReads = steps.every(({ kind }) => kind === "read");
		const id = recorder.invoke({
			client: "A",
			session: null,
			steps,
			level: onlyReads ? { level: "linearizable" } : null,
			acknowledgement: onlyReads ? null : "quorum",
			node: "n1",
			idempotencyKey: null,
			attempt: 1,
		});
		invoked++;
		running.push({ id, steps, seen: null, index: 0, abandoned: false });
	}

	function takeEffect(one: Running): void {
		if (one.steps.some(({ kind }) => kind !== "read")) index++;
		one.index = index;
		one.seen = one.steps.map((each) => {
			const before = state.get(each.key) ?? null;
			state.set(each.key, after(each, before));
			const history = past.get(each.key) ?? [];
			past.set(each.key, history);
			history.push(before);
			if (each.kind === "write") return undefined;
			if (each.kind !== "read" && chance.happens(options.values === "few" ? 0.4 : 0)) return undefined;
			if (each.kind !== "append" || chance.happens(0.5)) return before;
			return undefined;
		});
	}

	/** Something the register held before, if it held anything else. */
	function lie(one: Running): void {
		const place = one.steps.findIndex(({ kind }) => kind === "read");
		const step = one.steps[place];
		if (step === undefined || one.seen === null || invoked < options.operations / 2) return;
		const others = (past.get(step.key) ?? []).filter((each) => each !== one.seen?.[place]);
		if (others.length === 0) return;
		one.seen[place] = options.values === "unique" ? (others[0] ?? null) : chance.pick(others);
		lies--;
	}

	for (;;) {
		now++;
		const waiting = running.filter(({ abandoned }) => !abandoned).length;
		if (invoked < options.operations && waiting < options.clients && chance.happens(0.5)) {
			invoke();
			continue;
		}
		if (waiting === 0 && invoked >= options.operations) return recorder.history;
		if (running.length === 0) continue;
		const place = chance.below(running.length);
		const one = running[place];
		if (one === undefined) continue;
		if (one.abandoned) {
			if (chance.happens(0.02)) {
				takeEffect(one);
				running.splice(place, 1);
			}
		} else if (one.seen === null && chance.happens(0.05)) {
			one.abandoned = true;
			if (chance.happens(0.5)) recorder.complete(one.id, { outcome: "unknown" });
		} else if (one.seen === null) takeEffect(one);
		else {
			if (lies > 0) lie(one);
			const isUnknown = chance.happens(0.05);
			const position = options.positions === true ? { term: 1, index: one.index } : null;
			recorder.complete(
				one.id,
				isUnknown ? { outcome: "unknown" } : { outcome: "ok", seen: one.seen, position },
			);
			running.splice(place, 1);
		}
	}
}
