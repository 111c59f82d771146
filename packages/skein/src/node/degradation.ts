/**
 * Which acknowledgement modes cannot be met just now, or only with fewer members than there are: since when and because
 * of whom. Only the leader knows. Nothing is decided by it: it is what status, metrics and the log say, so that a
 * mode is never degraded silently.
 */

import { isWitness } from "../consensus/quorum.ts";
import type { LogIndex, NodeId } from "../consensus/types.ts";
import type { CoreView } from "../consensus/view.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";

export interface DegradedMode {
	/** As in Skein-Ack. */
	readonly acknowledgement: string;
	/** waits: writes of this mode are not answered. answers-without: they are, and these members have no part in the promise. */
	readonly effect: "waits" | "answers-without";
	readonly members: readonly NodeId[];
}

export interface Degradation extends DegradedMode {
	/** Milliseconds since 1970, for people. */
	readonly sinceMs: number;
	readonly forMs: Milliseconds;
}

/** What can be seen of one other voter. */
export interface VoterState {
	readonly id: NodeId;
	/** It counts for the majority, and has nothing that the other modes ask for. */
	readonly witness: boolean;
	/** It was heard lately, and has on disk what the leader had a while ago. */
	readonly stores: boolean;
	readonly inSync: boolean;
	/** Entries reach it along the chain; null: nothing travels along one. */
	readonly inChain: boolean | null;
}

/** From what is seen of the other voters to the modes: a pure function. */
export function degradedModes(others: readonly VoterState[]): DegradedMode[] {
	const withData = others.filter(({ witness }) => !witness);
	const lacking = others.filter(({ stores }) => !stores).map(({ id }) => id);
	const lackingData = withData.filter(({ stores }) => !stores).map(({ id }) => id);
	const outOfSync = withData.filter(({ inSync }) => !inSync).map(({ id }) => id);
	const copies = 1 + withData.length - lackingData.length;
	const majority = Math.floor((others.length + 1) / 2) + 1;
	// So many machines may be lost, and so many copies and one more survive that.
	const mayBeLost = Math.floor(others.length / 2);
	const modes: DegradedMode[] = [];
	const hasMajority = others.length - lacking.length + 1 >= majority;
	if (lackingData.length > 0)
		modes.push({ acknowledgement: `semi-sync;k=${copies}`, effect: "waits", members: lackingData });
	if (!hasMajority) modes.push({ acknowledgement: "quorum", effect: "waits", members: lacking });
	else if (copies < mayBeLost + 1)
		modes.push({ acknowledgement: "quorum", effect: "answers-without", members: lackingData });
	if (!hasMajority) modes.push({ acknowledgement: "sync", effect: "waits", members: lacking });
	else if (outOfSync.length > 0)
		modes.push({ acknowledgement: "sync", effect: "answers-without", members: outOfSync });
	if (outOfSync.length > 0)
		modes.push({ acknowledgement: "sync;strict", effect: "waits", members: outOfSync });
	const outOfChain = withData.filter(({ inChain }) => inChain === false).map(({ id }) => id);
	const isUsed = others.some(({ inChain }) => inChain !== null);
	if (isUsed && !hasMajority) modes.push({ acknowledgement: "chain", effect: "waits", members: lacking });
	else if (outOfChain.length > 0)
		modes.push({ acknowledgement: "chain", effect: "answers-without", members: outOfChain });
	return modes;
}

export interface Degradations {
	/** Looks again. A few times a second. */
	check(): void;
	/** Those that have lasted for a while. */
	list(): Degradation[];
}

export interface DegradationsOptions {
	readonly view: () => CoreView;
	readonly clock: Clock;
	readonly logger: Logger;
	/** A voter that was not heard for so long is taken for gone. */
	readonly silentMs: Milliseconds;
	/** What passes sooner is not told: leases that a new leader has not granted yet. */
	readonly briefMs: Milliseconds;
}

interface Known {
	now: DegradedMode;
	readonly since: MonotonicTime;
	readonly sinceWallMs: number;
	told: string | null;
}

export function createDegradations(options: DegradationsOptions): Degradations {
	const { view, clock, logger, silentMs, briefMs } = options;
	let known = new Map<string, Known>();
	/** What the leader had on disk at the last two looks: whoever has less than at the earlier does not keep up. */
	let durableBefore: readonly [LogIndex, LogIndex] = [0, 0];

	function othersOf(core: CoreView): VoterState[] {
		// Made anew each time it is asked for.
		const { progress } = core;
		return core.configuration.voters.flatMap((id): VoterState[] => {
			const ofVoter = progress.get(id);
			if (ofVoter === undefined) return [];
			const { lastContact, matchIndex, inSync } = ofVoter;
			const heard = lastContact !== null && clock.now() - lastContact <= silentMs;
			const inChain = core.isChainUsed ? core.chain.includes(id) : null;
			const witness = isWitness(core.configuration, id);
			return [{ id, witness, stores: heard && matchIndex >= durableBefore[0], inSync, inChain }];
		});
	}

	function look(): DegradedMode[] {
		const core = view();
		if (core.role !== "leader" || !core.established) {
			durableBefore = [0, 0];
			return [];
		}
		const modes = degradedModes(othersOf(core));
		durableBefore = [durableBefore[1], core.durableIndex];
		return modes;
	}

	function tell(mode: string, one: Known): void {
		const { effect, members } = one.now;
		const told = `${effect} ${members.join()}`;
		if (told === one.told || clock.now() - one.since < briefMs) return;
		one.told = told;
		const what =
			effect === "waits"
				? `writes of mode ${mode} are not answered: they wait for ${members.join(", ")}`
				: `writes of mode ${mode} are answered without ${members.join(", ")}`;
		logger.warn({ acknowledgement: mode, members, sinceMs: one.sinceWallMs }, what);
	}

	return {
		check() {
			const before = known;
			known = new Map();
			for (const now of look()) {
				const mode = now.acknowledgement;
				const one = before.get(mode) ?? {
					now,
					since: clock.now(),
					sinceWallMs: clock.wallTime(),
					told: null,
				};
				one.now = now;
				known.set(mode, one);
				tell(mode, one);
			}
			for (const [mode, one] of before) {
				if (known.has(mode) || one.told === null) continue;
				const forMs = Math.round(clock.now() - one.since);
				const end = view().role === "leader" ? "is met again" : "is another leader's matter now";
				logger.info({ acknowledgement: mode, forMs }, `mode ${mode} ${end}, after ${forMs} ms`);
			}
		},
		list() {
			const lasting = [...known.values()].filter(({ since }) => clock.now() - since >= briefMs);
			return lasting.map(({ now, since, sinceWallMs }) => ({
				...now,
				sinceMs: sinceWallMs,
				forMs: Math.round(clock.now() - since),
			}));
		},
	};
}
