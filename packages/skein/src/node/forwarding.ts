/**
 * Requests that this node passes to the leader, and their answers. What was sent and gets no answer
 * because the connection broke or another leader was elected ends as `lost`: it may have happened.
 * What could not be sent certainly did not.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { GroupId, NodeId, Position } from "../consensus/types.ts";
import type { ProgramOutcome } from "../database/program.ts";
import { encodeFor } from "../peer/encode-for.ts";
import type { CallRequest, CallResponse, FailureReport, RunRequest, RunResponse } from "../peer/message.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { Network } from "../world/network.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Outbox } from "./outbox.ts";

/** How long a deposed leader that can be reached may take to answer what it was sent. */
const deposedAnswerMs: Milliseconds = 300;

export type Forwarded =
	| {
			readonly type: "done";
			readonly outcome: ProgramOutcome;
			readonly position: Position;
			readonly replayed: boolean;
			/** The mode that it was answered in. */
			readonly acknowledgement: Acknowledgement;
	  }
	| { readonly type: "failed"; readonly error: SkeinError }
	| { readonly type: "not-leader" }
	| { readonly type: "not-sent" }
	/** Not sent either: there is no room on the way to the leader just now. */
	| { readonly type: "full" }
	| { readonly type: "lost" }
	| { readonly type: "timed-out" };

export type RunFields = Omit<RunRequest, "type" | "group" | "from" | "to" | "requestId">;

export interface Forwarding {
	run(to: NodeId, fields: RunFields, deadlineAt: MonotonicTime): Promise<Forwarded>;
	/** The body of the answer. Rejects with SkeinError. */
	call(
		to: NodeId,
		operation: CallRequest["operation"],
		body: string,
		deadlineAt: MonotonicTime,
	): Promise<string>;
	closeStream(to: NodeId, streamId: number): void;
	onRunResponse(message: RunResponse): void;
	onCallResponse(message: CallResponse): void;
	/** Everything that was sent to `node` and is not answered is lost. */
	onUnreachable(node: NodeId): void;
	/**
	 * Another leader is known. The old one, if it lives, answers all that it had within a moment (handing
	 * over, it finishes its batch first); what it has not answered then is lost.
	 */
	onLeader(leader: NodeId): void;
	readonly pending: number;
}

interface PendingRun {
	readonly to: NodeId;
	readonly settle: (result: Forwarded) => void;
	readonly deadline: Deadline;
}

interface PendingCall {
	readonly to: NodeId;
	readonly resolve: (body: string) => void;
	readonly reject: (error: SkeinError) => void;
	readonly deadline: Deadline;
}

export interface ForwardingOptions {
	readonly self: NodeId;
	readonly group: GroupId;
	readonly network: Network;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly outbox: Outbox;
	readonly maxPending: number;
	/** The longest message of the lane. */
	readonly maxMessageBytes: number;
	/** Never used by an earlier life of this node: an answer to one must not be taken for ours. */
	readonly firstRequestId: number;
}

export function createForwarding(options: ForwardingOptions): Forwarding {
	const { self, group, network, deadlines, outbox } = options;
	const runs = new Map<number, PendingRun>();
	const calls = new Map<number, PendingCall>();
	/** What was queued for a node when it had no room: nothing is encoded for it again before that is less. */
	const fullAt = new Map<NodeId, number>();
	let nextRequestId = options.firstRequestId;

	function isFull(to: NodeId): boolean {
		// The end of a stream waits there: a request must not overtake it.
		return (
			outbox.waitsFor(to) || network.queuedBytes(to, "log") >= (fullAt.get(to) ?? Number.POSITIVE_INFINITY)
		);
	}

	/** Null: sent. */
	function trySend(to: NodeId, bytes: Uint8Array): Forwarded | null {
		fullAt.delete(to);
		if (bytes.length > options.maxMessageBytes) return { type: "failed", error: requestTooLarge() };
		if (network.send(to, "log", bytes)) return null;
		const queuedBytes = network.queuedBytes(to, "log");
		if (queuedBytes === 0 || !network.reachable(to)) return { type: "not-sent" };
		fullAt.set(to, queuedBytes);
		return { type: "full" };
	}

	function settleRun(requestId: number, result: Forwarded): void {
		const pending = runs.get(requestId);
		if (pending === undefined) return;
		runs.delete(requestId);
		pending.deadline.cancel();
		pending.settle(result);
	}

	function failCall(requestId: number, error: SkeinError): void {
		const pending = calls.get(requestId);
		if (pending === undefined) return;
		calls.delete(requestId);
		pending.deadline.cancel();
		pending.reject(error);
	}

	return {
		run(to, fields, deadlineAt) {
			// Whoever holds the writer must be able to finish: everybody else waits for that.
			if (runs.size >= options.maxPending && !fields.inTransaction) {
				const error = new SkeinError("too many requests wait for the leader: try again later", {
					code: "OVERLOADED",
				});
				return Promise.resolve({ type: "failed", error });
			}
			if (isFull(to)) return Promise.resolve({ type: "full" });
			const requestId = nextRequestId++;
			const bytes = encodeFor(network, "log", {
				type: "run-request",
				group,
				from: self,
				to,
				requestId,
				...fields,
			});
			const unsent = trySend(to, bytes);
			if (unsent !== null) return Promise.resolve(unsent);
			return new Promise((settle) => {
				const deadline = deadlines.add(deadlineAt, () => settleRun(requestId, { type: "timed-out" }));
				runs.set(requestId, { to, settle, deadline });
			});
		},
		call(to, operation, body, deadlineAt) {
			const requestId = nextRequestId++;
			const bytes = encodeFor(network, "log", {
				type: "call-request",
				group,
				from: self,
				to,
				requestId,
				operation,
				body,
			});
			if (!network.send(to, "log", bytes)) return Promise.reject(callLost(to));
			return new Promise((resolve, reject) => {
				const late = new SkeinError(`${to} did not answer in time`, { code: "TIMEOUT", outcome: "unknown" });
				const deadline = deadlines.add(deadlineAt, () => failCall(requestId, late));
				calls.set(requestId, { to, resolve, reject, deadline });
			});
		},
		closeStream(to, streamId) {
			outbox.send(to, encodeFor(network, "log", { type: "close-stream", group, from: self, to, streamId }));
		},
		onRunResponse(message) {
			const { result } = message;
			if (result.ok) {
				const { ok: _, ...done } = result;
				return settleRun(message.requestId, { type: "done", ...done });
			}
			if (result.failure.notLeader) return settleRun(message.requestId, { type: "not-leader" });
			settleRun(message.requestId, { type: "failed", error: fromReport(result.failure) });
		},
		onCallResponse(message) {
			const { result } = message;
			if (!result.ok) return failCall(message.requestId, fromReport(result.failure));
			const pending = calls.get(message.requestId);
			if (pending === undefined) return;
			calls.delete(message.requestId);
			pending.deadline.cancel();
			pending.resolve(result.body);
		},
		onUnreachable(node) {
			fullAt.delete(node);
			for (const [requestId, pending] of runs)
				if (pending.to === node) settleRun(requestId, { type: "lost" });
			for (const [requestId, pending] of calls) if (pending.to === node) failCall(requestId, callLost(node));
		},
		onLeader(leader) {
			const old = [...runs].filter(([, pending]) => pending.to !== leader);
			if (old.length === 0) return;
			deadlines.add(options.clock.now() + deposedAnswerMs, () => {
				for (const [requestId] of old) settleRun(requestId, { type: "lost" });
			});
		},
		get pending() {
			return runs.size;
		},
	};
}

export function toReport(error: SkeinError): FailureReport {
	return {
		code: error.code,
		message: error.message,
		outcome: error.outcome,
		extendedCode: error.extendedCode ?? null,
		notLeader: false,
	};
}

export const notLeaderReport: FailureReport = {
	code: "NO_LEADER",
	message: "this node does not lead",
	outcome: "did-not-happen",
	extendedCode: null,
	notLeader: true,
};

function fromReport(report: FailureReport): SkeinError {
	return new SkeinError(report.message, {
		code: report.code,
		outcome: report.outcome,
		extendedCode: report.extendedCode ?? undefined,
	});
}

function requestTooLarge(): SkeinError {
	return new SkeinError(
		"the request is larger than what nodes pass on to each other: send it in pieces, or to the leader itself",
		{ code: "PAYLOAD_TOO_LARGE" },
	);
}

function callLost(to: NodeId): SkeinError {
	return new SkeinError(`the connection to ${to} was lost`, { code: "LEADERSHIP_LOST", outcome: "unknown" });
}
