/** The leader's side of forwarding: writes of other nodes' clients join the same queue as its own. */

import { SkeinError } from "../../../client/src/errors.ts";
import type { NodeId } from "../consensus/types.ts";
import type { RunRequest, RunResponse } from "../peer/message.ts";
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Deadlines } from "./deadlines.ts";
import { notLeaderReport, toReport } from "./forwarding.ts";
import { createSeenRequests } from "./seen-requests.ts";
import type { StateMachine } from "./state-machine.ts";
import type { QueuedWrite, WriteAnswer } from "./write-queue.ts";

export interface RemoteWritesOptions {
	readonly stateMachine: StateMachine;
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
	/** Streams that may have a transaction open here, by node: closed when their node is gone. */
	const open = new Map<NodeId, Set<number>>();
	const seen = createSeenRequests();

	function note(node: NodeId, streamId: number, isOpen: boolean): void {
		const streams = open.get(node);
		if (isOpen) {
			if (streams === undefined) open.set(node, new Set([streamId]));
			else streams.add(streamId);
		} else streams?.delete(streamId);
	}

	function onRunRequest(message: RunRequest): void {
		const { from, requestId, streamId } = message;
		// Also one that was refused: its copy must not run when this node leads again.
		if (!seen.isNew(from, requestId)) return;
		if (!options.leads()) return respond(from, requestId, { ok: false, failure: notLeaderReport });
		const write: QueuedWrite = {
			stream: `${from}/${streamId}`,
			request: {
				program: message.program,
				foreignKeys: message.foreignKeys,
				interactive: message.interactive,
				idempotencyKey: message.idempotencyKey,
				wallTimeMs: clock.wallTime(),
				timeoutMs: options.statementTimeoutMs,
			},
			inTransaction: message.inTransaction,
			snapshotIndex: message.snapshotIndex,
			cancelled: false,
			started: false,
			answer(answer) {
				deadline.cancel();
				answerTo(message, answer);
			},
		};
		// Its own node answers the client when the time is over; here it must only not begin any more.
		const deadline = deadlines.add(clock.now() + message.timeoutMs, () => {
			write.cancelled = true;
			if (write.started) return;
			const failure = toReport(
				new SkeinError("the write waited too long for the writer; it did not happen", { code: "TIMEOUT" }),
			);
			respond(from, requestId, { ok: false, failure });
		});
		stateMachine.submit(write);
	}

	function answerTo(message: RunRequest, answer: WriteAnswer): void {
		const { from, requestId, streamId } = message;
		switch (answer.type) {
			case "done": {
				note(from, streamId, !answer.outcome.autocommit);
				const { outcome, position, replayed } = answer;
				return respond(from, requestId, { ok: true, outcome, position, replayed });
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
		note(from, streamId, false);
		stateMachine.closeStream(`${from}/${streamId}`);
	}

	return {
		onRunRequest,
		onCloseStream,
		onUnreachable(node) {
			for (const streamId of open.get(node) ?? []) stateMachine.closeStream(`${node}/${streamId}`);
			open.delete(node);
		},
	};
}
