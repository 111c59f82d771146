/** Asks each healed member for a write and a linearizable read, again and again until it serves them. */
import type { Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type { Completion, Recorder, Step } from "../history/history.ts";
import { connect, type Reply } from "../load/connection.ts";
import { programOf, statementOf, valueIn } from "../machine/statements.ts";
import type { Tell } from "../trace/event.ts";

export interface Probe {
	/** Whether every member that is to serve has served both. */
	all(): boolean;
	/** Whether a write and a read were served by somebody. */
	any(): boolean;
	/** No more questions. */
	stop(): void;
	/** Who has not, for people. */
	missing(): string;
}

export interface ProbeOptions {
	/** Who is asked. */
	readonly members: readonly Member[];
	/** Of these, who must answer in the end: one that may be removed need not. */
	readonly mustServe: (member: Member) => boolean;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly recorder: Recorder;
	readonly tell: Tell;
	readonly onOutrage: (error: unknown) => void;
}

const timeoutMs = 2_000;
const pauseMs = 100;

export function probe(options: ProbeOptions): Probe {
	const { members, scheduler, chance, recorder, tell, onOutrage } = options;
	const missing = new Map<string, string>();
	const served = new Set<string>();
	let stopped = false;

	async function ask(member: Member, what: "write" | "read"): Promise<void> {
		const name = `a ${what} on ${member.id}`;
		for (let attempt = 1; !stopped; attempt++) {
			const key = `probe-${member.id}`;
			const step: Step =
				what === "write" ? { kind: "write", key, value: `probe.${attempt}` } : { kind: "read", key };
			const id = recorder.invoke({
				client: name,
				session: null,
				steps: [step],
				level: what === "read" ? { level: "linearizable" } : null,
				acknowledgement: what === "write" ? "quorum" : null,
				node: member.id,
				idempotencyKey: null,
				attempt: 1,
			});
			tell({ type: "invoke", operation: id, client: "probe", node: member.id, what });
			const connection = connect({ member, scheduler, chance, delayMs: 0.1, isLetIn: false, onOutrage });
			const request = {
				consistency: { level: "linearizable" },
				idempotencyKey: null,
				// The nodes' own may wait for members that are not healed.
				acknowledgement: { mode: "quorum" },
				timeoutMs,
			} as const;
			const reply = await connection.send(programOf([statementOf(step)]), request, 2 * timeoutMs);
			connection.close();
			const outcome = outcomeOf(reply);
			recorder.complete(id, { outcome, ...sawIn(reply, what) });
			const code = reply.type === "error" ? reply.error.code : reply.type;
			tell({ type: "complete", operation: id, outcome, code });
			if (outcome === "ok") {
				served.add(what);
				missing.delete(name);
				return;
			}
			if (missing.has(name)) missing.set(name, `${name} (${code})`);
			await new Promise<void>((resolve) => {
				scheduler.after(pauseMs, resolve);
			});
		}
	}

	const all = members.flatMap((member) => (["write", "read"] as const).map((what) => ({ member, what })));
	for (const { member, what } of all) {
		if (options.mustServe(member)) missing.set(`a ${what} on ${member.id}`, `a ${what} on ${member.id}`);
	}
	for (const { member, what } of all) ask(member, what).catch(onOutrage);
	return {
		all: () => missing.size === 0,
		any: () => served.size === 2,
		stop() {
			stopped = true;
		},
		missing: () => [...missing.values()].join(", "),
	};
}

/** What a read showed, and the state that the answer names. */
function sawIn(reply: Reply, what: "write" | "read"): Partial<Completion> {
	if (reply.type !== "answer") return {};
	const { outcome, position, stalenessMs, inSync, replayed } = reply.answer;
	return {
		position,
		stalenessMs,
		inSync,
		replayed,
		seen: [what === "read" ? valueIn(outcome, 0) : undefined],
	};
}

function outcomeOf(reply: Reply): "ok" | "failed" | "unknown" {
	// A statement that fails serves nobody.
	if (reply.type === "answer")
		return reply.answer.outcome.errors.every((one) => one === null) ? "ok" : "failed";
	if (reply.type === "unreachable") return "failed";
	return reply.type === "error" && reply.error.outcome === "did-not-happen" ? "failed" : "unknown";
}
