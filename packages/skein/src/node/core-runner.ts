/**
 * Runs the consensus core of one group: feeds it inputs, carries out what it decides. No decision
 * of its own. Outputs are carried out in the order in which they come; an input that arrives while
 * that happens waits for its turn, so the core never sees a half-carried-out step.
 */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { Core } from "../consensus/core.ts";
import type { Input, ProposedEntry } from "../consensus/input.ts";
import type { ConsensusMessage } from "../consensus/message.ts";
import type { Output, RefusalReason } from "../consensus/output.ts";
import type { Configuration, Entry, GroupId, LogIndex, NodeId, Role, Term } from "../consensus/types.ts";
import { EntryAbsentError } from "../log/errors.ts";
import type { Log } from "../log/log.ts";
import { encodeFor } from "../peer/encode-for.ts";
import type { Clock, Milliseconds, MonotonicTime, Timer } from "../world/clock.ts";
import type { Disk } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import type { Lane, Network } from "../world/network.ts";
import { createDiskQueue, type DiskQueueOptions } from "./disk-queue.ts";
import type { LeaseAsked, Leased } from "./in-sync.ts";
import { metadataOf } from "./metadata.ts";

export interface RoleState {
	readonly role: Role;
	readonly term: Term;
	readonly leader: NodeId | null;
	readonly established: boolean;
}

export type Proposal =
	| {
			readonly accepted: true;
			readonly term: Term;
			readonly firstIndex: LogIndex;
			readonly lastIndex: LogIndex;
	  }
	| { readonly accepted: false; readonly reason: RefusalReason };

export type TransferEnd = Extract<Output, { type: "transfer-ended" }>;
export type ChangeRequest = Omit<Extract<Input, { type: "change-members" }>, "now" | "type">;
export type ChangeAnswer = Extract<Output, { type: "change-accepted" | "change-refused" }>;

/** What the rest of the node wants to hear. Called in the order in which the core decided. */
export interface CoreListener {
	onRole(state: RoleState): void;
	onCommit(index: LogIndex): void;
	/** The proposal that ends at `index` may be answered. */
	onAcknowledged(index: LogIndex): void;
	/** What `await-acknowledgement` asked for with this waiter is met. */
	onAwaited(waiter: number): void;
	/** Somebody waits until this member has applied `index`, which may not be committed yet. */
	onApplyAtOnce(index: LogIndex): void;
	onLeaseAsked(asked: LeaseAsked): void;
	onLeased(leased: Leased): void;
	onReadsEnded(): void;
	onReadReady(readId: number, index: LogIndex): void;
	onSnapshotNeeded(to: NodeId, term: Term): void;
	onTransferEnded(end: TransferEnd): void;
	/** The last configuration in the log is another. It counts at once, and may be taken back. */
	onConfiguration(configuration: Configuration): void;
	onFailure(error: unknown): void;
}

/** An input without its time, which the runner adds. */
export type TimelessInput = Input extends infer One ? (One extends Input ? Omit<One, "now"> : never) : never;

export interface CoreRunner {
	readonly core: Core;
	readonly state: RoleState;
	readonly commitIndex: LogIndex;
	diskFull(): boolean;
	start(): void;
	step(input: TimelessInput): void;
	propose(entries: readonly ProposedEntry[], acknowledgement: Acknowledgement | null): Proposal;
	changeMembers(request: ChangeRequest): ChangeAnswer;
	/**
	 * As the log's. A leader that waits for it for too long steps down: a disk that hangs while there is
	 * nothing to write is no stall to the core, and whoever waits for what is read would wait for ever.
	 */
	read(first: LogIndex, last: LogIndex, maxBytes: number): Promise<Entry[]>;
	stop(): void;
}

export interface CoreRunnerOptions {
	readonly core: Core;
	readonly group: GroupId;
	readonly self: NodeId;
	readonly log: Log;
	readonly network: Network;
	readonly checksum: Disk["checksum"];
	readonly clock: Clock;
	readonly logger: Logger;
	readonly tickIntervalMs: Milliseconds;
	readonly diskStallMs: Milliseconds;
	readonly listener: CoreListener;
	/** Of the disk queue: what of the entries that go was answered early is reported. */
	readonly beforeCut: DiskQueueOptions["beforeCut"];
	readonly onAppended: DiskQueueOptions["onAppended"];
}

type SendEntries = Extract<Output, { type: "send-entries" }>;

interface Reading {
	end: Promise<void>;
	waiting: number;
}

/** A member that waits is woken less often, but never later than this: nothing else may be late by more. */
const mostIntervals = 5;

/** A tick that is late by less can change little: two heartbeats at most are unread. */
const sleptFromMs: Milliseconds = 100;

/** Behind a read from disk that takes long; entries are bounded by what the core lets be in flight. */
const maxWaitingAppends = 16;

export function createCoreRunner(options: CoreRunnerOptions): CoreRunner {
	const { core, group, self, log, network, clock, logger, listener } = options;
	let timer: Timer | null = null;
	let stopped = false;
	let busy = false;
	let proposal: Proposal | null = null;
	let changeAnswer: ChangeAnswer | null = null;
	const inputs: Input[] = [];
	/** Followers for whom entries are being read from disk: later appends wait, or they would overtake. */
	const reading = new Map<NodeId, Reading>();

	const diskQueue = createDiskQueue({
		log,
		clock,
		logger,
		lastIndex: core.view.lastIndex,
		beforeCut: options.beforeCut,
		onAppended: options.onAppended,
		commitIndex: () => runner.commitIndex,
		onDurable: (ticket) => step({ type: "durable", ticket }),
		onFull: () => step({ type: "step-down" }),
		onFailure: fail,
	});

	function fail(error: unknown): void {
		if (stopped) return;
		stop();
		listener.onFailure(error);
	}

	function step(input: TimelessInput): void {
		if (stopped) return;
		const first = { ...input, now: clock.now() } as Input;
		if (busy) {
			inputs.push(first);
			return;
		}
		busy = true;
		try {
			for (let next: Input | undefined = first; next !== undefined && !stopped; next = inputs.shift()) {
				for (const output of core.step(next)) carryOut(output);
			}
		} catch (error) {
			// An assertion of the core: going on could break a promise.
			inputs.length = 0;
			fail(error);
		} finally {
			busy = false;
		}
	}

	function carryOut(output: Output): void {
		switch (output.type) {
			case "write-promise":
			case "append-log":
			case "reset-log":
				return diskQueue.add(output);
			case "send":
				return send(output.message);
			case "send-entries":
				return sendEntries(output);
			case "send-snapshot":
				return listener.onSnapshotNeeded(output.to, output.term);
			case "commit":
				if (output.index < runner.commitIndex)
					throw new Error(`commit index went back: ${runner.commitIndex} to ${output.index}`);
				runner.commitIndex = output.index;
				return listener.onCommit(output.index);
			case "acknowledged":
				return output.waiter === null
					? listener.onAcknowledged(output.index)
					: listener.onAwaited(output.waiter);
			case "apply-at-once":
				return listener.onApplyAtOnce(output.index);
			case "lease-asked":
				return listener.onLeaseAsked(output);
			case "leased":
				return listener.onLeased(output);
			case "reads-ended":
				return listener.onReadsEnded();
			case "role":
				runner.state = {
					role: output.role,
					term: output.term,
					leader: output.leader,
					established: output.established,
				};
				// A new leader has more to do at a tick than it had before.
				if (timer !== null) tickIn(options.tickIntervalMs);
				return listener.onRole(runner.state);
			case "proposal-accepted":
				proposal = {
					accepted: true,
					term: output.term,
					firstIndex: output.firstIndex,
					lastIndex: output.lastIndex,
				};
				return;
			case "proposal-refused":
				proposal = { accepted: false, reason: output.reason };
				return;
			case "read-ready":
				return listener.onReadReady(output.readId, output.index);
			case "transfer-ended":
				return listener.onTransferEnded(output);
			case "change-accepted":
			case "change-refused":
				changeAnswer = output;
				return;
			case "configuration":
				return listener.onConfiguration(output.value);
			default: {
				const never: never = output;
				throw new Error(`unknown output ${JSON.stringify(never)}`);
			}
		}
	}

	function send(message: ConsensusMessage): void {
		const before = carriesEntries(message) ? reading.get(message.to) : undefined;
		if (before === undefined) return transmit(message);
		// It may be lost, as any message: the next answered heartbeat brings another.
		if (before.waiting >= maxWaitingAppends) return;
		sendBehind(message.to, async () => {
			if (stillLeads(message.term)) transmit(message);
		});
	}

	function transmit(message: ConsensusMessage): void {
		const lane = laneOf(message);
		network.send(message.to, lane, encodeFor(network, lane, message));
	}

	function stillLeads(term: Term): boolean {
		return !stopped && runner.state.term === term && runner.state.role === "leader";
	}

	function sendEntries(output: SendEntries): void {
		const { to, firstIndex, lastIndex } = output;
		const cached = reading.has(to) ? null : log.readCached(firstIndex, lastIndex, Number.MAX_SAFE_INTEGER);
		if (cached?.length === lastIndex - firstIndex + 1) return sendAppend(output, cached);
		sendBehind(to, async () => {
			try {
				sendAppend(output, await readAll(firstIndex, lastIndex));
			} catch (error) {
				// A leader that cannot read its log serves nobody who needs it, and would lead on: what was valid
				// and is damaged is nothing to lead with (found by simulation).
				if (!(error instanceof EntryAbsentError)) return fail(error);
				// Compacted meanwhile: the core probes again and finds out.
				logger.debug(
					{ to, firstIndex, lastIndex, error: String(error) },
					"entries could not be read for a follower",
				);
				for (const node of [to, ...output.route]) step({ type: "unreachable", node });
			}
		});
	}

	function read(first: LogIndex, last: LogIndex, maxBytes: number): Promise<Entry[]> {
		const patience = clock.setTimer(options.diskStallMs, () => step({ type: "step-down" }));
		return log.read(first, last, maxBytes).finally(() => patience.cancel());
	}

	/** One read ends where a segment of the log does. */
	async function readAll(firstIndex: LogIndex, lastIndex: LogIndex): Promise<Entry[]> {
		const entries: Entry[] = [];
		for (let next = firstIndex; next <= lastIndex; next = firstIndex + entries.length) {
			for (const entry of await read(next, lastIndex, Number.MAX_SAFE_INTEGER)) entries.push(entry);
		}
		return entries;
	}

	function sendBehind(to: NodeId, work: () => Promise<void>): void {
		const mine = reading.get(to) ?? { end: Promise.resolve(), waiting: 0 };
		reading.set(to, mine);
		mine.waiting++;
		mine.end = mine.end.then(work).finally(() => {
			mine.waiting--;
			if (mine.waiting === 0) reading.delete(to);
		});
	}

	function sendAppend(output: SendEntries, entries: readonly Entry[]): void {
		if (!stillLeads(output.term)) return;
		const { to, term, previous, commitIndex, route, withoutPayloads } = output;
		const sent = withoutPayloads ? entries.map((entry) => metadataOf(entry, options.checksum)) : entries;
		const append = { group, from: self, to, term, previous, entries: sent, commitIndex };
		if (route.length === 0) transmit({ type: "append-request", ...append });
		else transmit({ type: "chain-append", ...append, leader: self, route });
	}

	function tick(dueAt: MonotonicTime): void {
		const lateMs = clock.now() - dueAt;
		// Timers come before the sockets: without this word the core would take our own sleep for silence.
		if (lateMs >= sleptFromMs) step({ type: "slept", forMs: lateMs });
		step({ type: "tick" });
		if (!stopped) tickIn(waitOf(core.tickDueAt() - clock.now()));
	}

	function waitOf(untilDueMs: Milliseconds): Milliseconds {
		const { tickIntervalMs } = options;
		return Math.min(Math.max(untilDueMs, tickIntervalMs), mostIntervals * tickIntervalMs);
	}

	function tickIn(waitMs: Milliseconds): void {
		timer?.cancel();
		const dueAt = clock.now() + waitMs;
		timer = clock.setTimer(waitMs, () => tick(dueAt));
	}

	function stop(): void {
		stopped = true;
		timer?.cancel();
		inputs.length = 0;
	}

	const runner: CoreRunner & { state: RoleState; commitIndex: LogIndex } = {
		core,
		state: readState(core),
		commitIndex: core.view.commitIndex,
		diskFull: () => diskQueue.full,
		start: () => tick(clock.now()),
		step,
		propose(entries, acknowledgement) {
			if (busy) throw new Error("propose from inside a step");
			proposal = null;
			step({ type: "propose", entries, acknowledgement });
			return proposal ?? { accepted: false, reason: "not-leader" };
		},
		changeMembers(request) {
			if (busy) throw new Error("a change of members from inside a step");
			changeAnswer = null;
			step({ type: "change-members", ...request });
			return (
				changeAnswer ?? {
					type: "change-refused",
					reason: "not-leader",
					why: "this member is stopping",
					missing: [],
				}
			);
		},
		read,
		stop,
	};
	return runner;
}

function readState(core: Core): RoleState {
	const { role, term, leader, established } = core.view;
	return { role, term, leader, established };
}

/** Only entries are long; everything else is small and urgent. */
function laneOf(message: ConsensusMessage): Lane {
	return carriesEntries(message) ? "log" : "control";
}

function carriesEntries(message: ConsensusMessage): boolean {
	return message.type === "append-request" || message.type === "chain-append";
}
