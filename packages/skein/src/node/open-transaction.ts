/**
 * What a serving leader's open SQLite transaction holds of batches that were answered, or acknowledged, before they
 * were committed in the log. SQLite can commit only all that it has executed, so while more is executed behind there
 * is always an end that is not committed; here is decided when that must stop.
 */
import type { Position } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";

export interface OpenTransaction {
	/** The last entry that it holds; null: nothing is open. */
	readonly last: Position | null;
	/** When its first batch was executed; null: nothing is open. */
	readonly since: MonotonicTime | null;
	/** Of the log entries of what it holds. */
	readonly sizeBytes: number;
	/** A batch was executed, and went to the log up to here. */
	add(last: Position, sizeBytes: number): void;
	/** Nothing more behind it: the log is full, or it must be alone. */
	close(): void;
	/** It was committed, or rolled back. */
	ended(): void;
	/** Another batch may be executed behind what is open. */
	mayGoOn(): boolean;
}

export interface OpenTransactionOptions {
	readonly clock: Clock;
	readonly maxOpenMs: Milliseconds;
	readonly maxOpenBytes: number;
	/** Somebody waits to read what is open. */
	readonly awaited: () => boolean;
}

interface Held {
	readonly since: MonotonicTime;
	last: Position;
	sizeBytes: number;
	closed: boolean;
}

export function createOpenTransaction(options: OpenTransactionOptions): OpenTransaction {
	const { clock, maxOpenMs, maxOpenBytes, awaited } = options;
	let held: Held | null = null;

	return {
		get last() {
			return held?.last ?? null;
		},
		get since() {
			return held?.since ?? null;
		},
		get sizeBytes() {
			return held?.sizeBytes ?? 0;
		},
		add(last, sizeBytes) {
			held ??= { since: clock.now(), last, sizeBytes: 0, closed: false };
			held.last = last;
			held.sizeBytes += sizeBytes;
		},
		close() {
			if (held !== null) held.closed = true;
		},
		ended() {
			held = null;
		},
		mayGoOn() {
			if (held === null) return true;
			return (
				!held.closed && !awaited() && held.sizeBytes < maxOpenBytes && clock.now() - held.since < maxOpenMs
			);
		},
	};
}
