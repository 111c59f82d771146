/** One core without a world: what it is told, step by step, and what it says. Everything else the test makes up. */
import { initialConfiguration } from "../configuration.ts";
import type { Core, CoreOptions } from "../core.ts";
import { createCore } from "../core.ts";
import type { Input } from "../input.ts";
import type { ConsensusMessage } from "../message.ts";
import type { Output } from "../output.ts";
import { defaultConsensusSettings } from "../settings.ts";
import type { MessageBody } from "../state.ts";
import type { Entry, EntryKind, LogIndex, MonotonicTime, NodeId, Position, Term } from "../types.ts";
import type { TimelessInput } from "./simulation.ts";
import { group, textBytes } from "./simulation.ts";

export interface LoneCore {
	readonly core: Core;
	/** Set by the test. */
	now: MonotonicTime;
	step(input: TimelessInput): Output[];
	hear(from: NodeId, term: Term, body: MessageBody): Output[];
	/** All disk work that was asked for is done. */
	durable(): Output[];
	tick(): Output[];
}

export interface LoneOptions extends Partial<Omit<CoreOptions, "headers">> {
	/** Of the entries behind the base. */
	readonly terms?: readonly Term[];
}

export const three = initialConfiguration(["n1", "n2", "n3"].map((id) => ({ id, peer: `${id}:1` })));

/** Named n1, and one of three members, unless the options say something else. */
export function createLoneCore({ terms = [], ...options }: LoneOptions = {}): LoneCore {
	const base: Position = options.base ?? { index: 0, term: 0 };
	const self = options.self ?? "n1";
	const core = createCore({
		self,
		group,
		settings: defaultConsensusSettings,
		seed: 1,
		now: 0,
		promise: { term: terms.at(-1) ?? base.term, votedFor: null },
		base,
		headers: terms.map((term, place) => ({ index: base.index + 1 + place, term, sizeBytes: 1 })),
		configuration: { index: 0, value: three },
		configurations: [],
		commitIndex: base.index,
		...options,
	});
	let lastTicket = 0;
	const lone: LoneCore = {
		core,
		now: 0,
		step(input) {
			const outputs = core.step({ ...input, now: lone.now } as Input);
			for (const output of outputs) if ("ticket" in output) lastTicket = output.ticket;
			return outputs;
		},
		hear(from, term, body) {
			// The compiler cannot see that a member of the union stays one when the envelope is added.
			const message = { ...body, group, from, to: self, term } as ConsensusMessage;
			return lone.step({ type: "message", message });
		},
		durable: () => lone.step({ type: "durable", ticket: lastTicket }),
		tick: () => lone.step({ type: "tick" }),
	};
	return lone;
}

/** It stands when its time has come, n2 votes for it, and its disk has all that it asked for. Its term. */
export function elect(lone: LoneCore): Term {
	const { core } = lone;
	// Who is not to stand just now waits once more each time.
	for (let each = 0; each < 20 && core.view.role === "follower"; each++) {
		lone.now = Math.max(lone.now, core.tickDueAt());
		lone.tick();
	}
	const term = core.view.term + 1;
	if (core.view.role === "candidate") {
		lone.hear("n2", term - 1, { type: "pre-vote-response", askedTerm: term, granted: true });
		lone.durable();
		lone.hear("n2", term, { type: "vote-response", granted: true });
	}
	lone.durable();
	return core.view.term;
}

/** n2 has all that the leader has, and says so; then the leader's disk has what follows from that. */
export function follow(lone: LoneCore, from: NodeId = "n2"): Output[] {
	const { lastIndex: matchIndex, term } = lone.core.view;
	const outputs = lone.hear(from, term, { type: "append-response", result: { accepted: true, matchIndex } });
	return [...outputs, ...lone.durable()];
}

export function entriesOf(term: Term, first: LogIndex, last: LogIndex, kind: EntryKind = "command"): Entry[] {
	return Array.from({ length: last - first + 1 }, (_, place) => ({
		index: first + place,
		term,
		kind,
		payload: textBytes("x"),
	}));
}

export function messagesIn(outputs: readonly Output[]): ConsensusMessage[] {
	return outputs.flatMap((output) => (output.type === "send" ? [output.message] : []));
}
