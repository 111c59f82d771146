/** Why transactions ended without their client, so that its next request is told. Remembers the last few. */
import { SkeinError } from "../../../client/src/errors.ts";
import type { StreamKey } from "./write-queue.ts";

/** idle, total: a time limit. handover, lost, stopping: leadership went elsewhere. closed: the client is gone. */
export type StreamEnd = "idle" | "total" | "handover" | "lost" | "stopping" | "closed";

const remembered = 1_000;

export interface EndedStreams {
	add(stream: StreamKey, end: StreamEnd): void;
	errorFor(stream: StreamKey): SkeinError;
}

export function createEndedStreams(): EndedStreams {
	const ends = new Map<StreamKey, StreamEnd>();

	return {
		add(stream, end) {
			ends.delete(stream);
			ends.set(stream, end);
			const oldest = ends.keys().next().value;
			if (ends.size > remembered && oldest !== undefined) ends.delete(oldest);
		},
		errorFor(stream) {
			const end = ends.get(stream);
			if (end === "idle" || end === "total") {
				return new SkeinError(
					`the transaction was rolled back: it ${end === "idle" ? "was idle" : "was open"} for too long; nothing of it happened`,
					{ code: "TRANSACTION_TIMEOUT" },
				);
			}
			return new SkeinError(
				"leadership moved while the transaction was open: it was rolled back, nothing of it happened; begin it again",
				{
					code: "LEADERSHIP_LOST",
				},
			);
		},
	};
}
