/**
 * Gives leadership back to a preferred member: once it has been well for a while, so that nothing waits for it, by a
 * transfer as an operator's. Not again and again: each time that it was done, or failed, the wait doubles, and after
 * a few times an operator has to look. While elections are paused leadership does not move by itself.
 */
import { neverLeads } from "../consensus/quorum.ts";
import type { Configuration, NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { PeerStatus } from "./directory.ts";
import type { Transfer } from "./transfer.ts";

/** So often without a quiet time between. */
const mostTries = 5;
/** A preferred leader that has led for so many delays is well: what was before does not count any more. */
const quietDelays = 60;

export interface Preference {
	/** Looks again. A few times a second. */
	check(): void;
}

export interface PreferenceOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly transfer: Pick<Transfer, "handOver" | "busy">;
	readonly statusOf: (node: NodeId) => Pick<PeerStatus, "ready"> | null;
	/** For how long it does not stand, since it stepped down for an operator; it is asked. */
	readonly restsForMs: (node: NodeId) => Promise<Milliseconds>;
	readonly clock: Clock;
	readonly logger: Logger;
	/** Who was not heard for so long is taken for dead. */
	readonly electionTimeoutMs: Milliseconds;
	/** For how long the preferred one must have been well, and this one must have led. */
	readonly delayMs: Milliseconds;
	/** It lacks no more bytes than so many: it will have them in a moment. */
	readonly mostLackingBytes: number;
}

export function createPreference(options: PreferenceOptions): Preference {
	const { self, clock, logger, delayMs } = options;
	/** Since when each preferred member has been well, as seen by this leader. */
	let wellSince = new Map<NodeId, MonotonicTime>();
	let tries = 0;
	let nextTryAt: MonotonicTime = Number.NEGATIVE_INFINITY;
	let hasGivenUp = false;
	let reign: { readonly leader: NodeId | null; readonly since: MonotonicTime } = {
		leader: null,
		since: clock.now(),
	};
	/** Whose tries are counted: other members, or other wishes, begin anew. */
	let wishes = "";

	function preferredOf({ members, voters }: Configuration): NodeId[] {
		const isPreferred = ({ priority }: Configuration["members"][number]): boolean => priority === "preferred";
		return members
			.filter(isPreferred)
			.map(({ id }) => id)
			.filter((id) => voters.includes(id));
	}

	function isWell(node: NodeId): boolean {
		const { progress, lastIndex, bytesAfter } = viewOf();
		const known = progress.get(node);
		if (known === undefined || options.statusOf(node)?.ready !== true) return false;
		const isHeard = clock.now() - (known.lastContact ?? Number.NEGATIVE_INFINITY) < options.electionTimeoutMs;
		const lacking = known.matchIndex >= lastIndex ? 0 : bytesAfter(known.matchIndex);
		return isHeard && lacking <= options.mostLackingBytes;
	}

	function viewOf() {
		const { view } = options.runner().core;
		const { progress, lastIndex, configuration } = view;
		return { progress, lastIndex, configuration, bytesAfter: (index: number) => view.bytesAfter(index) };
	}

	function forget(): void {
		tries = 0;
		nextTryAt = Number.NEGATIVE_INFINITY;
		hasGivenUp = false;
	}

	function noteReign(leader: NodeId | null, preferred: readonly NodeId[]): void {
		if (leader !== reign.leader) reign = { leader, since: clock.now() };
		const isRightful = leader !== null && preferred.includes(leader);
		if (isRightful && clock.now() - reign.since > quietDelays * delayMs) forget();
	}

	/** The preferred member that has been well for long enough; null: none. */
	function candidate(preferred: readonly NodeId[]): NodeId | null {
		const now = clock.now();
		const well = preferred.filter(isWell);
		wellSince = new Map(well.map((node) => [node, wellSince.get(node) ?? now]));
		return well.find((node) => now - (wellSince.get(node) ?? now) >= delayMs) ?? null;
	}

	async function giveBack(to: NodeId): Promise<void> {
		nextTryAt = clock.now() + delayMs * 2 ** (tries + 1);
		try {
			const restsForMs = await options.restsForMs(to);
			if (restsForMs > 0) {
				nextTryAt = clock.now() + restsForMs;
				return;
			}
			tries++;
			const { leader, pausedMs } = await options.transfer.handOver(to);
			logger.info(
				{ leader, tries, pausedMs: Math.round(pausedMs) },
				"leadership given to a preferred member",
			);
		} catch (error) {
			logger.warn({ to, tries, error: String(error) }, "a preferred member could not be given leadership");
		}
	}

	return {
		check() {
			const { state, core } = options.runner();
			const { configuration, heldBackForMs } = core.view;
			const preferred = preferredOf(configuration);
			const wished = preferred.join(" ");
			if (wished !== wishes) forget();
			wishes = wished;
			noteReign(state.leader, preferred);
			const isElsewhere =
				state.established &&
				preferred.length > 0 &&
				!preferred.includes(self) &&
				!neverLeads(configuration, self);
			if (!isElsewhere || heldBackForMs.paused > 0) {
				wellSince.clear();
				return;
			}
			const to = candidate(preferred);
			const now = clock.now();
			if (to === null || now - reign.since < delayMs || now < nextTryAt || options.transfer.busy) return;
			if (tries < mostTries) return void giveBack(to);
			if (hasGivenUp) return;
			hasGivenUp = true;
			logger.warn(
				{ to, tries },
				"a preferred member did not keep leadership several times: it gets it only if it is asked for (skein transfer)",
			);
		},
	};
}
