/** What is known of a member that is left, and which of several is the best: whose log ends last, as in an election. */
import type { Configuration, Member, NodeId, Position, VotePromise } from "../../consensus/types.ts";
import type { Identity } from "../../log/log.ts";
import type { RecoveredCore } from "../recovery.ts";

export interface Survivor {
	readonly identity: Identity;
	readonly promise: VotePromise;
	/** The place before the first entry of its log. */
	readonly base: Position;
	readonly last: Position;
	/** Up to here its database has applied, so up to here it is committed. */
	readonly applied: number;
	/** In force at `applied`, and all that its log has behind that; the last one counts. */
	readonly configurations: readonly Configuration[];
}

/** Another one, of which only this counts. */
export interface OtherSurvivor {
	/** Where it was looked at: a directory or a URL. */
	readonly at: string;
	readonly clusterId: string;
	readonly node: NodeId;
	readonly last: Position;
}

export function survivorOf(identity: Identity, state: RecoveredCore): Survivor {
	const { promise, base, headers, configuration, configurations, commitIndex } = state;
	const { term, index } = headers.at(-1) ?? base;
	return {
		identity,
		promise,
		base,
		last: { term, index },
		applied: commitIndex,
		configurations: [configuration, ...configurations].map(({ value }) => value),
	};
}

export function membersOf({ configurations }: Survivor): readonly Member[] {
	return configurations.at(-1)?.members ?? [];
}

/** By term of the last entry, then by index. */
export function endsBefore(one: Position, other: Position): boolean {
	return one.term !== other.term ? one.term < other.term : one.index < other.index;
}

export const positionText = ({ term, index }: Position): string => `${term}.${index}`;
