/**
 * What a leader believes of one follower, against a twin that keeps everything: the follower's whole log, every
 * message sent, every answer delivered. Messages and answers are lost, doubled and late in any order; the leader's log
 * grows and is compacted; snapshots come and fail; connections break.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ofRandomRuns } from "../world/testing/random-share.ts";
import { createChain } from "./chain.ts";
import { createCommitTimes } from "./commit-times.ts";
import { createDiskLedger } from "./disk-ledger.ts";
import { createSurroundings } from "./electing.ts";
import { createRaftElector } from "./electors/raft.ts";
import { inFlightBytes } from "./in-flight.ts";
import { createLogView } from "./log-view.ts";
import type { AppendResponse } from "./message.ts";
import { createProgress, type Progress } from "./progress.ts";
import { createRandomSource } from "./random.ts";
import {
	onAppendResponse,
	onHeartbeatResponse,
	onSnapshotSent,
	onUnreachable,
	sendAppends,
} from "./replication.ts";
import { defaultConsensusSettings } from "./settings.ts";
import type { CoreState, LeaderState } from "./state.ts";
import type { LogIndex, Term } from "./types.ts";

const entryBytes = 32;
const maxAppendBytes = 3 * entryBytes;
const maxInFlightBytes = 6 * entryBytes;

/** A message with entries, or without. */
interface Request {
	readonly previous: { readonly index: LogIndex; readonly term: Term };
	readonly terms: readonly Term[];
}

type Answer = AppendResponse["result"];

interface Start {
	readonly shared: number;
	readonly ours: readonly number[];
	readonly theirs: readonly number[];
}

class World {
	/** The terms of all entries that the leader ever had; index 1 is at place 0. */
	readonly ours: Term[];
	theirs: Term[];
	readonly state: CoreState;
	readonly leader: LeaderState;
	readonly progress: Progress;
	readonly requests: Request[] = [];
	readonly answers: Answer[] = [];
	readonly sent = new Set<LogIndex>();
	snapshotAsked = false;
	/** The highest acknowledgement that reached the leader. */
	acknowledged = 0;
	rounds = 0;

	constructor({ shared, ours, theirs }: Start) {
		const common = Array.from({ length: shared }, (_, place) => 1 + Math.floor(place / 4));
		// Odd terms for one, even ones for the other: beyond the shared entries none is the same.
		this.ours = [...common, ...grow(ours, 11)];
		this.theirs = [...common, ...grow(theirs, 10)];
		this.progress = createProgress(this.ours.length, 0);
		this.leader = {
			role: "leader",
			since: 0,
			excusedUntil: 0,
			barrierIndex: this.ours.length,
			established: true,
			isInTransaction: false,
			progress: new Map([["n2", this.progress]]),
			departing: new Map(),
			round: 0,
			heartbeatAt: 0,
			unacknowledged: [],
			acknowledgedIndex: 0,
			leases: {
				members: new Map(),
				commitTimes: createCommitTimes(0),
				confirmedRound: 0,
				acknowledgedIndex: 0,
				tail: null,
				shownIndex: 0,
			},
			chain: createChain(),
			waitingReads: [],
			leaseFromRound: 1,
			leaseForfeited: false,
			durableTimes: createCommitTimes(0),
			runningReads: [],
		};
		this.state = leaderState(this.ours, this.leader);
		this.send();
	}

	/** Takes what the leader wants sent. */
	send(): void {
		sendAppends(this.state, this.leader, "n2");
		this.collect();
	}

	collect(): void {
		for (const output of this.state.outputs.splice(0)) {
			if (output.type === "send-snapshot") this.snapshotAsked = true;
			else if (output.type === "send-entries") {
				const { previous, firstIndex, lastIndex } = output;
				check(
					firstIndex === previous.index + 1 && lastIndex >= firstIndex,
					"entries follow what is before them",
				);
				const terms = this.ours.slice(firstIndex - 1, lastIndex);
				check(terms.length * entryBytes <= maxAppendBytes, "a message is bounded");
				for (let index = firstIndex; index <= lastIndex; index++) this.sent.add(index);
				this.requests.push({ previous, terms });
			} else if (output.type === "send" && output.message.type === "append-request") {
				this.requests.push({ previous: output.message.previous, terms: [] });
			}
		}
	}

	/** The follower, as Raft's Figure 2 has it. */
	receive({ previous, terms }: Request): void {
		const held = previous.index === 0 ? 0 : this.theirs[previous.index - 1];
		if (held !== previous.term) {
			this.answers.push({ accepted: false, previousIndex: previous.index, hint: this.hint(previous) });
			return;
		}
		for (const [place, term] of terms.entries()) {
			const at = previous.index + place;
			if (this.theirs[at] === term) continue;
			this.theirs = [...this.theirs.slice(0, at), ...terms.slice(place)];
			break;
		}
		this.answers.push({ accepted: true, matchIndex: previous.index + terms.length });
	}

	hint(previous: Request["previous"]): { index: LogIndex; term: Term } {
		let index = Math.min(previous.index, this.theirs.length);
		while (index > 0 && (this.theirs[index - 1] ?? 0) > previous.term) index--;
		return { index, term: this.theirs[index - 1] ?? 0 };
	}

	answer(result: Answer): void {
		if (result.accepted) this.acknowledged = Math.max(this.acknowledged, result.matchIndex);
		const { mode, nextIndex } = this.progress;
		const isStale =
			!result.accepted &&
			(result.previousIndex <= this.acknowledged ||
				(mode === "probing" && result.previousIndex !== nextIndex - 1));
		const message = { type: "append-response", group: 1, from: "n2", to: "n1", term: 101, result } as const;
		onAppendResponse(this.state, this.leader, message);
		if (isStale) {
			const isSame = this.progress.mode === mode && this.progress.nextIndex === nextIndex;
			check(isSame && this.state.outputs.length === 0, "a stale refusal changes nothing");
		}
		this.collect();
		this.send();
	}

	heartbeat(): void {
		const round = ++this.leader.round;
		const lastIndex = this.theirs.length;
		const message = { type: "heartbeat-response", group: 1, from: "n2", to: "n1", term: 101 } as const;
		onHeartbeatResponse(this.state, this.leader, { ...message, round, lastIndex, appliedIndex: 0 });
		this.collect();
	}

	snapshot(index: LogIndex | null): void {
		if (!this.snapshotAsked) return;
		this.snapshotAsked = false;
		if (index !== null) {
			const isHeld = this.theirs[index - 1] === this.ours[index - 1];
			if (!isHeld) this.theirs = this.ours.slice(0, index);
			this.answers.push({ accepted: true, matchIndex: index });
		}
		onSnapshotSent(this.state, this.leader, "n2", index);
		this.collect();
	}

	propose(): void {
		this.ours.push(101);
		this.state.log.append({ index: this.ours.length, term: 101, sizeBytes: 0 });
		this.send();
	}

	/** Up to where the two logs really are the same. */
	common(): LogIndex {
		let index = 0;
		while (index < this.theirs.length && this.theirs[index] === this.ours[index]) index++;
		return index;
	}

	checkAll(): void {
		const { matchIndex, nextIndex, mode } = this.progress;
		check(matchIndex === this.acknowledged, "match is the highest acknowledgement");
		check(matchIndex <= this.common(), "match is nothing that the follower does not hold");
		check(nextIndex > matchIndex && nextIndex <= this.ours.length + 1, "next is between match and the end");
		if (mode === "probing") {
			sendAppends(this.state, this.leader, "n2");
			check(this.state.outputs.length === 0, "one probe at a time");
		}
		if (mode !== "replicating") return;
		for (let index = matchIndex + 1; index < nextIndex; index++)
			check(this.sent.has(index), "nothing is skipped");
		check(
			inFlightBytes(this.state, this.progress) < maxInFlightBytes + maxAppendBytes,
			"the window is bounded",
		);
	}
}

function grow(steps: readonly number[], from: number): Term[] {
	let term = from;
	return steps.map((step) => (term += 2 * step));
}

function check(holds: boolean, what: string): void {
	if (!holds) throw new Error(`does not hold: ${what}`);
}

function leaderState(terms: readonly Term[], leader: LeaderState): CoreState {
	const headers = terms.map((term, place) => ({ index: place + 1, term, sizeBytes: 0 }));
	const names = ["n1", "n2", "n3"];
	const members = names.map((id) => ({ id, peer: `${id}:1` }));
	const value = { members, voters: names, outgoingVoters: [], learners: [], joining: [], retired: [] };
	const settings = { ...defaultConsensusSettings, maxAppendBytes, maxInFlightBytes };
	const surroundings = createSurroundings(() => state, "n1", settings, createRandomSource(1));
	const state: CoreState = {
		witness: false,
		self: "n1",
		group: 1,
		settings,
		elector: createRaftElector(surroundings, 0),
		surroundings,
		log: createLogView({ index: 0, term: 0 }, headers),
		disk: createDiskLedger(terms.length),
		now: 0,
		lastLeader: null,
		uselessReigns: 0,
		gaveWayAt: Number.NEGATIVE_INFINITY,
		heldBackUntil: { paused: 0, "stepped-down": 0, unfit: 0 },
		outputs: [],
		promise: { term: 101, votedFor: "n1" },
		grant: null,
		configurations: [{ index: 0, value }],
		removalSeenAt: 0,
		commitIndex: 0,
		readsEnded: { term: 0, round: 0 },
		showsNothingUntil: 0,
		announcedCommitIndex: 0,
		appliedIndex: 0,
		leader: "n1",
		lastLeaderContact: 0,
		roleState: leader,
		followerReads: new Map(),
		nextRequestId: 1,
		transfer: null,
		alwaysChains: false,
		announcedConfiguration: { index: 0, value },
		announcedRole: null,
	};
	return state;
}

/** One of `list`, which stays there too if it is to be doubled. */
function pick<T>(list: T[], chance: number, isDoubled: boolean): T | null {
	const place = chance % Math.max(1, list.length);
	const one = list[place] ?? null;
	if (!isDoubled) list.splice(place, 1);
	return one;
}

/** The action is in the low bits, its choices in the others. */
function act(world: World, action: number): void {
	const chance = action >> 5;
	switch (action & 15) {
		case 0:
			return world.propose();
		case 1:
			return world.heartbeat();
		case 2: {
			onUnreachable(world.leader, "n2");
			return;
		}
		case 3: {
			// Committed by the others, and cut.
			const index = chance % world.ours.length;
			return world.state.log.compactTo(index);
		}
		case 4: {
			// It may have become older than where the log begins now.
			const index = 1 + (chance % world.ours.length);
			return world.snapshot(chance % 4 === 0 ? null : index);
		}
		case 5: {
			if ((action & 16) > 0) pick(world.requests, chance, false);
			else pick(world.answers, chance, false);
			return;
		}
		case 6:
			// Of an older term.
			return world.answer({ accepted: false, previousIndex: 0, hint: { index: 0, term: 0 } });
		case 7:
		case 8:
		case 9:
		case 10:
		case 11: {
			const request = pick(world.requests, chance, (action & 16) > 0);
			return request === null ? undefined : world.receive(request);
		}
		default: {
			const answer = pick(world.answers, chance, (action & 16) > 0);
			return answer === null ? undefined : world.answer(answer);
		}
	}
}

/** Nothing is lost any more: the follower must get everything, in few rounds. */
function settle(world: World): void {
	const terms = new Set([...world.ours, ...world.theirs]).size;
	const limit = 4 + terms + world.ours.length;
	for (let round = 0; round < limit; round++) {
		world.heartbeat();
		if (world.progress.mode === "snapshot") {
			world.snapshotAsked = true;
			world.snapshot(world.ours.length);
		}
		while (world.requests.length + world.answers.length > 0) {
			for (const request of world.requests.splice(0)) world.receive(request);
			for (const answer of world.answers.splice(0)) world.answer(answer);
			world.checkAll();
		}
		if (world.progress.matchIndex === world.ours.length) break;
	}
	check(world.progress.matchIndex === world.ours.length, "in the end all of it matches");
	check(world.common() === world.ours.length, "in the end the follower holds all of it");
}

const anyStart = fc.record({
	shared: fc.nat(8),
	ours: fc.array(fc.nat(1), { minLength: 1, maxLength: 10 }),
	theirs: fc.array(fc.nat(1), { maxLength: 10 }),
});

test("whatever is lost, doubled and late: the leader believes what the twin knows, and in the end all is there", () => {
	const modes = new Set<string>();
	const property = fc.property(anyStart, fc.array(fc.nat(2 ** 16), { maxLength: 40 }), (start, actions) => {
		const world = new World(start);
		world.checkAll();
		for (const action of actions) {
			const before = world.progress.matchIndex;
			act(world, action);
			check(world.progress.matchIndex >= before, "match never goes back");
			world.checkAll();
			modes.add(world.progress.mode);
		}
		settle(world);
	});
	fc.assert(property, { numRuns: ofRandomRuns(25_000) });
	expect([...modes].sort()).toEqual(["probing", "replicating", "snapshot"]);
});
