/**
 * A statement that never ends would hold the writer, and with it every write of the cluster, for as
 * long as this node leads. SQLite cannot be interrupted; another node can lead.
 */
import type { Clock, Milliseconds } from "../world/clock.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";

/** Beyond the time limit of a statement, after which it would be rolled back when it ends. */
const stuckWriterMs: Milliseconds = 30_000;

export interface StuckWriterOptions {
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly statementTimeoutMs: Milliseconds;
	readonly onFailure: (error: unknown) => void;
}

/** From now on; to be cancelled when the writer has answered. */
export function watchWriter(options: StuckWriterOptions): Deadline {
	const limitMs = options.statementTimeoutMs + stuckWriterMs;
	return options.deadlines.add(options.clock.now() + limitMs, () => {
		options.onFailure(
			new Error(`a write has been running for ${limitMs} ms and cannot be interrupted: this node gives up`),
		);
	});
}
