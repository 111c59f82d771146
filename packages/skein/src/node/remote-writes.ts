/** The leader's side of forwarding: writes of other nodes' clients join the same queue as its own. */

import { SkeinError } from "../../../client/src/errors.ts";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { NodeId } from "../consensus/types.ts";
import type { RunRequest, RunResponse } from "../peer/message.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Deadlines } from "./deadlines.ts";
import type { DefaultAcknowledgement } from "./default-acknowledgement.ts";
import { notLeaderReport, toReport } from "./forwarding.ts";
import { createSeenRequests } from "./seen-requests.ts";
import type { StateMachine } from "./state-machine.ts";
import { cancel, type QueuedWrite, type WriteAnswer } from "./write-queue.ts";
import { asOfTaking } from "./write-request.ts";

export interface RemoteWritesOptions {
	readonly stateMachine: StateMachine;
	readonly mode: Pick<DefaultAcknowledgement, "current">;
	readonly leads: () => boolean;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly statementTimeoutMs: Milliseconds;
	readonly respond: (to: NodeId, requestId: number, result: RunResponse["result"]) => void;
}

export interface RemoteWrites {
	onRunRequest(message: RunRequest): void;
	onCloseStream(from: NodeId, streamId: number): void;
	/** The node is gone, and with it the clients of its streams. */
	onUnreachable(node: NodeId): void;
}

export function createRemoteWrites(options: RemoteWritesOptions): RemoteWrites {
	const { stateMachine, clock, deadlines, respond } = options;
	/** The stream that has a transaction open here, as far as it was answered: there is never more than one. */
	let open: { readonly node: NodeId; readonly streamId: number } | null = null;
	/** Streams, by node, with a request in hand that may leave a transaction open. */
	const mayOpen = new Map<NodeId, Set<number>>();
	const seen = createSeenRequests();

	function begin({ from, streamId, interactive }: RunRequest): void {
		if (!interactive) return;
		const streams = mayOpen.get(from);
		if (streams === undefined) mayOpen.set(from, new Set([streamId]));
		else streams.add(streamId);
	}

	/** Its request is answered, or will not be. */
	function end({ from, streamId }: Pick<RunRequest, "from" | "streamId">): void {
		const streams = mayOpen.get(from);
		streams?.delete(streamId);
		if (streams?.size === 0) mayOpen.delete(from);
	}

	function isOpen(from: NodeId, streamId: number): boolean {
		return open !== null && open.node === from && open.streamId === streamId;
	}

	function onRunRequest(message: RunRequest): void {
		const { from, requestId, streamId } = message;
		// Also one that was refused: its copy must not run when this node leads again.
		if (!seen.isNew(from, requestId)) return;
		if (!options.leads()) return respond(from, requestId, { ok: false, failure: notLeaderReport });
		const stream = `${from}/${streamId}`;
		const taken = asOfTaking(
			{
				stream,
				program: message.program,
				foreignKeys: message.foreignKeys,
				interactive: message.interactive,
				idempotencyKey: message.idempotencyKey,
				receivedAtMs: clock.now(),
				wallTimeMs: clock.wallTime(),
				timeoutMs: options.statementTimeoutMs,
			},
			() => message.acknowledgement ?? options.mode.current,
		);
		const write: QueuedWrite = {
			stream,
			get request() {
				return taken().request;
			},
			get acknowledgement() {
				return taken().acknowledgement;
			},
			inTransaction: message.inTransaction,
			snapshotIndex: message.snapshotIndex,
			cancelled: false,
			started: false,
			answer(answer) {
				deadline.cancel();
				answerTo(message, taken().acknowledgement, answer);
			},
		};
		// Its own node answers the client when the time is over; here it must only not begin any more.
		const deadline = deadlines.add(clock.now() + message.timeoutMs, () => {
			cancel(write);
			if (write.started) return;
			end(message);
			const failure = toReport(
				new SkeinError("the write waited too long for the writer; it did not happen", { code: "TIMEOUT" }),
			);
			respond(from, requestId, { ok: false, failure });
		});
		begin(message);
		stateMachine.submit(write);
	}

	function answerTo(message: RunRequest, acknowledgement: Acknowledgement, answer: WriteAnswer): void {
		const { from, requestId, streamId } = message;
		end(message);
		switch (answer.type) {
			case "done": {
				if (!answer.outcome.autocommit) open = { node: from, streamId };
				else if (isOpen(from, streamId)) open = null;
				const { outcome, position, replayed } = answer;
				return respond(from, requestId, { ok: true, outcome, position, replayed, acknowledgement });
			}
			case "failed":
				return respond(from, requestId, { ok: false, failure: toReport(answer.error) });
			case "not-leader":
				return respond(from, requestId, { ok: false, failure: notLeaderReport });
			default: {
				const never: never = answer;
				throw new Error(String(never));
			}
		}
	}

	function onCloseStream(from: NodeId, streamId: number): void {
		end({ from, streamId });
		if (isOpen(from, streamId)) open = null;
		stateMachine.closeStream(`${from}/${streamId}`);
	}

	return {
		onRunRequest,
		onCloseStream,
		onUnreachable(node) {
			const streams = new Set(mayOpen.get(node));
			if (open?.node === node) streams.add(open.streamId);
			for (const streamId of streams) onCloseStream(node, streamId);
		},
	};
}
