/** Members that do what a test says, step by step: for histories that no working core would make. */
import type { ConsensusMessage } from "../../../../skein/src/consensus/message.ts";
import type { Entry, LogIndex, NodeId, Position, Role, Term } from "../../../../skein/src/consensus/types.ts";
import type { CoreView } from "../../../../skein/src/consensus/view.ts";
import type { LogWork, Observation } from "../observation.ts";
import { createWatch, type Watch } from "../watch.ts";

type Shown =
	| "role"
	| "term"
	| "commitIndex"
	| "leader"
	| "established"
	| "configuration"
	| "configurationIndex";

export interface Scene {
	readonly watch: Watch;
	show(observation: Observation): void;
	/** A life begins with these entries, as "index/term". */
	start(node: NodeId, has?: { log?: readonly string[]; base?: string; term?: Term; votedFor?: NodeId }): void;
	/** Appended and, but for `durable: false`, on disk. Entries as "index/term" or "index/term/payload"; "members" is a configuration. */
	append(node: NodeId, entries: readonly string[], how?: { cutFrom?: LogIndex; durable?: boolean }): void;
	promise(node: NodeId, term: Term, votedFor: NodeId | null, durable?: boolean): void;
	/** The oldest work is on disk. */
	durable(node: NodeId): void;
	/** The log begins after `base` and, but for `durable: false`, its disk knows it. */
	reset(node: NodeId, base: string, durable?: boolean): void;
	/** The core's log begins after `base`; the log itself is not asked: work before it waits for room. */
	resetWaits(node: NodeId, base: string): void;
	/** The oldest work found the disk full. */
	refuse(node: NodeId): void;
	apply(node: NodeId, position: string, digest?: string): void;
	refuseToApply(node: NodeId, position: string): void;
	look(node: NodeId, view: Partial<Pick<CoreView, Shown>>): void;
	send(from: NodeId, to: NodeId, term: Term, body: object): void;
	/** The name of the broken property. */
	readonly broken: string | null;
}

/** `elected`: leaders must have been. */
export function createScene(voters: readonly NodeId[] = ["a", "b", "c"], elected = false): Scene {
	const watch = createWatch(elected ? [] : ["elected by a majority"]);
	/** What was asked of each log and is not done. */
	const pending = new Map<NodeId, LogWork[]>();
	/** What the fake core holds: terms by index. */
	const logs = new Map<NodeId, { base: Position; terms: Map<LogIndex, Term>; applied: LogIndex }>();

	function show(observation: Observation): void {
		try {
			watch.observe(observation);
		} catch (error) {
			if (watch.broken === null) throw error;
		}
	}

	function ask(node: NodeId, work: LogWork, isDurable: boolean): void {
		show({ type: "log-work", node, work });
		pending.set(node, [...(pending.get(node) ?? []), work]);
		if (isDurable) finish(node);
	}

	function finish(node: NodeId): void {
		pending.get(node)?.shift();
		show({ type: "log-durable", node });
	}

	function logOf(node: NodeId) {
		const log = logs.get(node) ?? { base: { index: 0, term: 0 }, terms: new Map(), applied: 0 };
		logs.set(node, log);
		return log;
	}

	function viewOf(node: NodeId, given: Parameters<Scene["look"]>[1]): CoreView {
		const { base, terms } = logOf(node);
		const lastIndex = Math.max(base.index, ...terms.keys());
		const role: Role = given.role ?? "follower";
		return {
			role,
			term: given.term ?? 1,
			votedFor: null,
			leader: given.leader ?? null,
			leasedIndex: null,
			caretaker: false,
			heldBackForMs: { paused: 0, "stepped-down": 0, unfit: 0 },
			chain: [],
			isChainUsed: false,
			elector: "raft",
			isLending: false,
			established: given.established ?? role === "leader",
			commitIndex: given.commitIndex ?? 0,
			base,
			lastIndex,
			lastTerm: terms.get(lastIndex) ?? base.term,
			durableIndex: lastIndex,
			configuration: given.configuration ?? {
				members: [],
				voters,
				outgoingVoters: [],
				learners: [],
				joining: [],
				retired: [],
			},
			configurationIndex: given.configurationIndex ?? 0,
			transferTo: null,
			pendingReads: 0,
			unacknowledgedBy: () => 0,
			progress: new Map(),
			termAt: (index) => (index === base.index ? base.term : (terms.get(index) ?? null)),
			configurationAt: () => ({
				index: 0,
				value: { members: [], voters, outgoingVoters: [], learners: [], joining: [], retired: [] },
			}),
			bytesAfter: () => 0,
		};
	}

	return {
		watch,
		show,
		start(node, has = {}) {
			const base = has.base === undefined ? { index: 0, term: 0 } : positionOf(has.base);
			const headers = (has.log ?? []).map((text) => ({ ...positionOf(text), sizeBytes: 0 }));
			const promise = { term: has.term ?? 0, votedFor: has.votedFor ?? null };
			const terms = new Map(headers.map(({ index, term }) => [index, term]));
			logs.set(node, { base, terms, applied: base.index });
			pending.delete(node);
			show({ type: "started", node, recovered: { promise, base, headers }, applied: base });
		},
		append(node, texts, how = {}) {
			const { terms } = logOf(node);
			const entries = texts.map(entryOf);
			const truncateFrom = how.cutFrom ?? null;
			if (truncateFrom !== null)
				for (const index of terms.keys()) if (index >= truncateFrom) terms.delete(index);
			for (const { index, term } of entries) terms.set(index, term);
			ask(node, { type: "append", truncateFrom, entries }, how.durable !== false);
		},
		promise(node, term, votedFor, durable = true) {
			ask(node, { type: "promise", promise: { term, votedFor } }, durable);
		},
		durable: finish,
		reset(node, text, durable = true) {
			const base = positionOf(text);
			logs.set(node, { base, terms: new Map(), applied: base.index });
			ask(node, { type: "reset", base }, durable);
		},
		resetWaits(node, text) {
			const base = positionOf(text);
			logs.set(node, { base, terms: new Map(), applied: base.index });
		},
		refuse(node) {
			const work = pending.get(node)?.shift();
			if (work === undefined) throw new Error("nothing was asked");
			show({ type: "log-refused", node, work });
		},
		apply(node, text, digest) {
			show({ type: "applied", node, position: positionOf(text), digest: digest ?? null });
		},
		refuseToApply(node, text) {
			show({ type: "apply-refused", node, position: positionOf(text), reason: "SQL logic error" });
		},
		look: (node, given) => show({ type: "view", node, view: viewOf(node, given) }),
		send(from, to, term, body) {
			const message = { group: 1, from, to, term, ...body } as ConsensusMessage;
			show({ type: "sent", message });
		},
		get broken() {
			const { broken } = watch;
			if (broken === null) return null;
			return "property" in broken ? String(broken.property) : broken.message;
		},
	};
}

function positionOf(text: string): Position {
	const [index, term] = text.split("/");
	return { index: Number(index), term: Number(term) };
}

function entryOf(text: string): Entry {
	const payload = text.split("/")[2] ?? "";
	const kind = payload === "members" ? "configuration" : "command";
	return { ...positionOf(text), kind, payload: new TextEncoder().encode(payload) };
}
