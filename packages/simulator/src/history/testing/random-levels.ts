/**
 * Random histories of a replicated register machine as Skein promises it: writes in one log, tried
 * again under their keys, reads of every level on replicas that are behind. With a lie each tenth read
 * of that level is answered from a state that is older than the level allows.
 */
import type { Position } from "../../../../skein/src/consensus/types.ts";
import { createChance } from "../../engine/chance.ts";
import { type Effect, type Timeline, timelineOf } from "../effects.ts";
import type { Call, History, Key, ReadLevel, Step, Value } from "../history.ts";
import { after, createRecorder } from "../history.ts";

export interface LeveledRun {
	readonly history: History;
	readonly timeline: Timeline;
	readonly final: ReadonlyMap<Key, Value>;
	readonly lies: number;
}

interface Entry {
	readonly at: number;
	readonly state: ReadonlyMap<Key, Value>;
}

export function randomLevels(seed: number, lie: ReadLevel["level"] | null): LeveledRun {
	const chance = createChance(seed);
	let now = 0;
	const recorder = createRecorder(() => now);
	const effects: Effect[] = [];
	/** By index; 0 is the beginning. */
	const log: Entry[] = [{ at: 0, state: new Map() }];
	const tokens = new Map<string, number>();
	const later: { at: number; happens: () => void }[] = [];
	const keys = ["x", "y", "z"];
	let values = 0;
	let lies = 0;

	function execute(steps: readonly Step[]): { seen: Value[]; position: Position } {
		const state = new Map(log.at(-1)?.state);
		const writes: { key: Key; value: Value }[] = [];
		const seen = steps.map((step) => {
			const before = state.get(step.key) ?? null;
			const value = after(step, before);
			if (step.kind !== "read" && value !== before) writes.push({ key: step.key, value });
			state.set(step.key, value);
			return before;
		});
		const position = { term: 1, index: log.length };
		log.push({ at: now, state });
		effects.push({ position, writes });
		return { seen, position };
	}

	function advance(session: string | null, index: number): void {
		if (session !== null) tokens.set(session, Math.max(tokens.get(session) ?? 0, index));
	}

	function call(session: string | null, steps: readonly Step[], level: ReadLevel | null): Call {
		return {
			client: "A",
			session,
			steps,
			level,
			acknowledgement: level === null ? "quorum" : null,
			node: "n1",
			idempotencyKey: null,
			attempt: 1,
		};
	}

	function write(session: string | null): void {
		const value = `v${values++}`;
		const key = chance.pick(keys);
		const steps: Step[] = [{ kind: "write", key, value }];
		if (chance.happens(0.3)) steps.push({ kind: "write", key: key === "x" ? "y" : "x", value });
		const asked = { ...call(session, steps, null), idempotencyKey: chance.happens(0.5) ? value : null };
		const id = recorder.invoke(asked);
		const outcome = chance.below(10);
		if (outcome === 0) {
			recorder.complete(id, { outcome: "failed" });
			return;
		}
		const isLost = outcome === 1;
		if (isLost && asked.idempotencyKey === null && chance.happens(0.5)) return;
		const happensAt = now + chance.exponential(10);
		later.push({
			at: happensAt,
			happens() {
				const { seen, position } = execute(steps);
				if (isLost) {
					if (asked.idempotencyKey !== null) tryAgain(asked, seen, position);
					return;
				}
				later.push({
					at: now + chance.exponential(10),
					happens() {
						recorder.complete(id, { outcome: "ok", seen, position });
						advance(session, position.index);
					},
				});
			},
		});
		if (isLost && chance.happens(0.5)) recorder.complete(id, { outcome: "unknown" });
	}

	function tryAgain(asked: Call, seen: Value[], position: Position): void {
		const id = recorder.invoke({ ...asked, attempt: 2 });
		later.push({
			at: now + chance.exponential(10),
			happens() {
				recorder.complete(id, { outcome: "ok", seen, position, replayed: true });
				advance(asked.session, position.index);
			},
		});
	}

	function read(session: string | null): void {
		const names: ReadLevel["level"][] = ["linearizable", "bounded", "eventual"];
		if (session !== null) names.push("session");
		const name = chance.pick(names);
		const level: ReadLevel = name === "bounded" ? { level: name, maxStalenessMs: 40 } : { level: name };
		const many = chance.happens(0.4) ? keys : [chance.pick(keys)];
		const steps = many.map((key): Step => ({ kind: "read", key }));
		const id = recorder.invoke(call(session, steps, level));
		const invokedAt = now;
		const token = session === null ? 0 : (tokens.get(session) ?? 0);
		const committedThen = log.length - 1;
		later.push({
			at: now + chance.exponential(5),
			happens() {
				const newest = log.length - 1;
				const least = leastOf(level, { invokedAt, token, committedThen });
				const isLie = name === lie && least > 0 && chance.happens(0.1);
				if (isLie) lies++;
				const index = isLie ? chance.below(least) : chance.integer(least, newest);
				const seen = steps.map(({ key }) => log[index]?.state.get(key) ?? null);
				const position = { term: 1, index };
				recorder.complete(id, { outcome: "ok", seen, position: isLie ? null : position });
				if (!isLie) advance(session, index);
			},
		});
	}

	function leastOf(
		{ level }: ReadLevel,
		when: { invokedAt: number; token: number; committedThen: number },
	): number {
		if (level === "linearizable") return when.committedThen;
		if (level === "session") return when.token;
		if (level === "eventual") return 0;
		// Before the beginning there was nothing either.
		return Math.max(
			0,
			log.findLastIndex(({ at }) => at <= when.invokedAt - 40),
		);
	}

	for (let turn = 0; turn < 400; turn++) {
		now += chance.exponential(3);
		later.sort((one, other) => one.at - other.at);
		const from = now;
		for (let first = later[0]; first !== undefined && first.at <= from; first = later[0]) {
			later.shift();
			now = Math.max(first.at, 0);
			first.happens();
			later.sort((one, other) => one.at - other.at);
		}
		now = from;
		const session = chance.happens(0.7) ? `s${chance.below(3)}` : null;
		if (chance.happens(0.4)) write(session);
		else read(session);
	}
	return {
		history: recorder.history,
		timeline: timelineOf(effects),
		final: log.at(-1)?.state ?? new Map(),
		lies,
	};
}
