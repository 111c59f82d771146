/**
 * The logs of all members as chains of hashes, kept up to date from what they asked of their disks:
 * `issued` is what the core counts with, `durable` what the disk has said is on it. They outlive
 * crashes; what was issued and not durable then is `pending`, and may be on disk or not.
 *
 * Also the registry of all entries that ever were: one hash for each index and term. An entry that was
 * recovered, or is the base of a snapshot, comes without its payload and gets its hash from there. A base
 * enters nothing: that somebody had its entry is to be asked (log-matching.ts).
 */
import type {
	Entry,
	LogIndex,
	NodeId,
	Position,
	Term,
	VotePromise,
} from "../../../skein/src/consensus/types.ts";
import type { CoreView } from "../../../skein/src/consensus/view.ts";
import {
	type Chain,
	compact,
	cut,
	emptyChain,
	type Link,
	lastIndex,
	lastLink,
	linkAt,
	linkOf,
} from "./hash-chain.ts";
import type { LogWork, Observation } from "./observation.ts";

export interface MemberLog {
	issued: Chain;
	durable: Chain;
	durablePromise: VotePromise;
	/** Issued and not durable, oldest first. */
	pending: LogWork[];
	/** Refused, and may be on disk in part, since the last work that was done. */
	refused: LogWork[];
	/** What the database holds. */
	applied: LogIndex;
	/** What the last work took out of `issued`; empty: nothing. */
	cut: { from: LogIndex; links: Link[] };
	/** The state of the disk at the end of the life before this one. */
	before: { readonly durable: Chain; readonly maybe: readonly LogWork[]; readonly promise: VotePromise };
}

export interface MemberLogs {
	get(node: NodeId): MemberLog;
	/** The entry that a member has at an index, also if the disk has no room for it and was not asked yet. */
	held(node: NodeId, view: CoreView, index: LogIndex): Link | null;
	/** The first hash that was seen for an entry; undefined: nobody had it. */
	known(index: LogIndex, term: Term): number | undefined;
	update(observation: Observation): void;
}

const noPromise: VotePromise = { term: 0, votedFor: null };

export function createMemberLogs(): MemberLogs {
	const logs = new Map<NodeId, MemberLog>();
	const registry = new Map<string, number>();

	function get(node: NodeId): MemberLog {
		const known = logs.get(node);
		if (known !== undefined) return known;
		const log: MemberLog = {
			issued: emptyChain(),
			durable: emptyChain(),
			durablePromise: noPromise,
			pending: [],
			refused: [],
			applied: 0,
			cut: { from: 0, links: [] },
			before: { durable: emptyChain(), maybe: [], promise: noPromise },
		};
		logs.set(node, log);
		return log;
	}

	function register(index: LogIndex, link: Link): Link {
		const name = `${index}/${link.term}`;
		if (!registry.has(name)) registry.set(name, link.hash);
		return link;
	}

	/**
	 * Without its payload: as it was known, or if this is the first that anybody hears of it, as of an empty one. Whoever
	 * joins is sent the first entry, which no leader appended: its payload is what was recovered.
	 */
	function linkWithoutPayload(position: Position, before: number, known: readonly Entry[] = []): Link {
		const hash = registry.get(`${position.index}/${position.term}`);
		if (hash !== undefined) return { term: position.term, hash };
		const payload = known.find(({ index }) => index === position.index)?.payload ?? new Uint8Array();
		return linkOf({ ...position, kind: "configuration", payload }, before);
	}

	/** A witness has entries without their payloads: whoever sent them had these. */
	function linkTo(entry: Entry, before: number): Link {
		return entry.kind === "metadata" ? linkWithoutPayload(entry, before) : linkOf(entry, before);
	}

	function baseOf(position: Position): Chain["base"] {
		if (position.index === 0) return { ...position, hash: 0 };
		return { ...position, hash: linkWithoutPayload(position, 0).hash };
	}

	function issue(log: MemberLog, work: LogWork): void {
		log.pending.push(work);
		log.cut = { from: 0, links: [] };
		if (work.type === "reset") log.issued = { base: baseOf(work.base), links: [] };
		if (work.type !== "append") return;
		if (work.truncateFrom !== null) {
			log.cut = { from: work.truncateFrom, links: cut(log.issued, work.truncateFrom) };
		}
		for (const entry of work.entries) {
			if (entry.index !== lastIndex(log.issued) + 1)
				throw new RangeError(`entry ${entry.index} was appended after ${lastIndex(log.issued)}`);
			log.issued.links.push(register(entry.index, linkTo(entry, lastLink(log.issued).hash)));
		}
	}

	/** What was asked behind it is refused too; then all of it may be asked for again, from the front. */
	function refuse(log: MemberLog, work: LogWork): void {
		log.pending = log.pending.filter((one) => one !== work);
		log.refused.push(work);
		if (log.pending.length === 0) log.issued = { base: log.durable.base, links: [...log.durable.links] };
	}

	function done(log: MemberLog): void {
		const work = log.pending.shift();
		log.refused = [];
		switch (work?.type) {
			case "promise":
				log.durablePromise = work.promise;
				return;
			case "reset":
				log.durable = { base: baseOf(work.base), links: [] };
				return;
			case "append":
				if (work.truncateFrom !== null) cut(log.durable, work.truncateFrom);
				for (const entry of work.entries) log.durable.links.push(linkTo(entry, lastLink(log.durable).hash));
				return;
			case undefined:
				throw new Error("the log finished work that nobody asked for");
			default: {
				const never: never = work;
				throw new Error(String(never));
			}
		}
	}

	return {
		get,
		held(node, view, index) {
			const own = linkAt(get(node).issued, index);
			const term = view.termAt(index);
			// Another term: what replaces the entry waits for room on the disk and was not asked of the log yet.
			if (own !== null && (term === null || term === own.term)) return own;
			const hash = term === null ? undefined : registry.get(`${index}/${term}`);
			return term === null || hash === undefined ? null : { term, hash };
		},
		known: (index, term) => registry.get(`${index}/${term}`),
		update(observation) {
			switch (observation.type) {
				case "started": {
					const log = get(observation.node);
					const { base, headers, promise, configurations } = observation.recovered;
					log.before = {
						durable: log.durable,
						maybe: [...log.refused, ...log.pending],
						promise: log.durablePromise,
					};
					log.issued = { base: baseOf(base), links: [] };
					for (const header of headers) {
						const link = linkWithoutPayload(header, lastLink(log.issued).hash, configurations);
						log.issued.links.push(register(header.index, link));
					}
					log.durable = { base: log.issued.base, links: [...log.issued.links] };
					log.durablePromise = promise;
					log.pending = [];
					log.refused = [];
					log.applied = observation.applied.index;
					log.cut = { from: 0, links: [] };
					return;
				}
				case "disk-lost":
					logs.delete(observation.node);
					return;
				case "log-work":
					return issue(get(observation.node), observation.work);
				case "log-durable":
					return done(get(observation.node));
				case "log-refused":
					return refuse(get(observation.node), observation.work);
				case "log-compacted": {
					const log = get(observation.node);
					const index = Math.min(observation.index, firstTouched(log) - 1);
					compact(log.issued, Math.min(index, lastIndex(log.issued)));
					compact(log.durable, Math.min(index, lastIndex(log.durable)));
					return;
				}
				case "applied":
					get(observation.node).applied = observation.position.index;
					return;
				case "append-sent":
				case "applying":
				case "apply-refused":
				case "database-durable":
				case "ended":
				case "snapshot":
				case "sent":
				case "view":
					return;
				default: {
					const never: never = observation;
					throw new Error(String(never));
				}
			}
		},
	};
}

/**
 * Where work that is not done cuts or writes. A snapshot may allow to drop more, but until that work is done
 * the disk has another log there, and may come back with it.
 */
function firstTouched({ pending, refused }: MemberLog): LogIndex {
	let first = Number.POSITIVE_INFINITY;
	for (const work of [...pending, ...refused]) {
		if (work.type !== "append") continue;
		first = Math.min(first, work.truncateFrom ?? work.entries[0]?.index ?? first);
	}
	return first;
}
