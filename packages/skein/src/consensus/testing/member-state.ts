/** What one member knows, made of the core's own parts, for tests of single functions. What else is true the test writes into it. */
import { complete, createDiskLedger, isDurable } from "../disk-ledger.ts";
import { createSurroundings } from "../electing.ts";
import { createElector } from "../electors/create.ts";
import { followersOf } from "../heartbeat.ts";
import { becomeLeader, onAppendResponse, onLeaderDurable } from "../leader.ts";
import type { Lease } from "../lease.ts";
import { createLogView } from "../log-view.ts";
import type { Output } from "../output.ts";
import type { Progress } from "../progress.ts";
import { createRandomSource } from "../random.ts";
import type { ConsensusSettings } from "../settings.ts";
import { defaultConsensusSettings } from "../settings.ts";
import type { CoreState, LeaderState } from "../state.ts";
import type { Configuration, Member, MonotonicTime, NodeId, Term } from "../types.ts";
import { group } from "./simulation.ts";

/** With round numbers: a lease of 1,000 ms is over after 1,250 on any clock, and the leader's own lasts 280 of 350. */
export const settings: ConsensusSettings = { ...defaultConsensusSettings, maxClockDrift: 0.25 };

export const startedAt: MonotonicTime = 10_000;

export interface StateOptions {
	readonly configuration?: Configuration;
	readonly settings?: Partial<ConsensusSettings>;
	/** Of the entries in the log, which begins at 1; all of them are durable, none is known to be committed. */
	readonly terms?: readonly Term[];
}

/** Whose name begins with w is a witness. */
export function configurationFor(voters: readonly NodeId[], learners: readonly NodeId[] = []): Configuration {
	const member = (id: NodeId): Member =>
		id.startsWith("w") ? { id, peer: `${id}:1`, witness: true } : { id, peer: `${id}:1` };
	const members = [...voters, ...learners].sort().map(member);
	return { members, voters, outgoingVoters: [], learners, joining: [], retired: [] };
}

/** n1 follows nobody. */
export function memberState(options: StateOptions = {}): CoreState {
	const { configuration = configurationFor(["n1", "n2", "n3"]), terms = [1, 1, 1] } = options;
	const own = { ...settings, ...options.settings };
	const now = startedAt;
	const headers = terms.map((term, place) => ({ index: place + 1, term, sizeBytes: 68 }));
	const random = createRandomSource(1);
	const surroundings = createSurroundings(() => state, "n1", own, random);
	const state: CoreState = {
		self: "n1",
		witness: false,
		group,
		settings: own,
		elector: createElector("raft", surroundings, now),
		surroundings,
		log: createLogView({ index: 0, term: 0 }, headers),
		disk: createDiskLedger(terms.length),
		now,
		outputs: [],
		promise: { term: terms.at(-1) ?? 0, votedFor: null },
		grant: null,
		configurations: [{ index: 0, value: configuration }],
		removalSeenAt: now,
		commitIndex: 0,
		announcedCommitIndex: 0,
		readsEnded: { term: 0, round: 0 },
		showsNothingUntil: Number.NEGATIVE_INFINITY,
		appliedIndex: 0,
		leader: null,
		lastLeader: null,
		uselessReigns: 0,
		gaveWayAt: Number.NEGATIVE_INFINITY,
		heldBackUntil: { paused: now, "stepped-down": now, unfit: now },
		lastLeaderContact: now,
		roleState: { role: "follower", verifiedIndex: 0, acknowledgementOwed: false, round: 0, awaitedIndex: 0 },
		followerReads: new Map(),
		nextRequestId: 1,
		transfer: null,
		alwaysChains: own.chain,
		announcedConfiguration: { index: 0, value: configuration },
		announcedRole: null,
	};
	return state;
}

export interface Leading {
	readonly state: CoreState;
	readonly leader: LeaderState;
}

/** n1 leads the next term, and its barrier is out. */
export function newLeader(options: StateOptions = {}): Leading {
	const state = memberState(options);
	state.promise = { term: state.promise.term + 1, votedFor: "n1" };
	becomeLeader(state);
	const leader = state.roleState;
	if (leader.role !== "leader") throw new Error("n1 does not lead");
	state.outputs = [];
	return { state, leader };
}

/** … and is on all disks. */
export function establishedLeader(options: StateOptions = {}): Leading {
	const { state, leader } = newLeader(options);
	flushDisk(state);
	onLeaderDurable(state, leader);
	const result = { accepted: true, matchIndex: state.log.last.index } as const;
	const { term } = state.promise;
	for (const from of followersOf(state, leader))
		onAppendResponse(state, leader, { type: "append-response", group, from, to: "n1", term, result });
	if (!leader.established) throw new Error("n1 is not established");
	state.outputs = [];
	return { state, leader };
}

export function flushDisk({ disk }: CoreState): void {
	const last = disk.nextTicket - 1;
	if (!isDurable(disk, last)) complete(disk, last);
}

/** What was put out since this was asked last. */
export function takeOutputs(state: CoreState): Output[] {
	return state.outputs.splice(0);
}

export function progressOf({ progress }: LeaderState, node: NodeId): Progress {
	const found = progress.get(node);
	if (found === undefined) throw new Error(`nothing is known of ${node}`);
	return found;
}

export function leaseOf({ leases }: LeaderState, node: NodeId): Lease {
	const found = leases.members.get(node);
	if (found === undefined) throw new Error(`no lease of ${node}`);
	return found;
}
