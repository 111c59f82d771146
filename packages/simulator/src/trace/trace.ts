/**
 * The stream of everything that happens in a run: counted, hashed as it goes, its last part kept for
 * the page of a failure. Two runs are the same if their hashes are.
 */
import { crc32 } from "../../../skein/src/world/crc32.ts";
import type { WorldTime } from "../engine/scheduler.ts";
import type { Tell, TimedEvent, TraceEvent } from "./event.ts";
import { headOf } from "./message-head.ts";
import { createMixer } from "./mixer.ts";

export interface Trace {
	readonly tell: Tell;
	/** Of all events so far, with their times and whole messages. 16 hexadecimal digits. */
	hash(): string;
	/** How many events there were, by type. */
	readonly counts: ReadonlyMap<string, number>;
	/** The newest, oldest first. */
	last(): TimedEvent[];
}

export interface TraceOptions {
	readonly now: () => WorldTime;
	/** Events that are kept for `last`. */
	readonly kept: number;
	/** Of a message, for the hash: all of it counts. The platform's, where it has a faster one. */
	readonly checksum?: (bytes: Uint8Array) => number;
	/** Hears every event: a web page, a file. */
	readonly listener?: (event: TraceEvent, at: WorldTime, message: Uint8Array | null) => void;
}

/** With what the message says, if it is of one: nobody reads that of the thousands at which nobody looks. */
export function withHead(event: TraceEvent, at: WorldTime, message: Uint8Array | null): TimedEvent {
	return message === null ? { at, ...event } : { at, ...event, ...headOf(message) };
}

interface Told {
	readonly at: WorldTime;
	readonly event: TraceEvent;
	readonly message: Uint8Array | null;
}

export function createTrace({ now, kept, checksum = crc32, listener }: TraceOptions): Trace {
	const counts = new Map<string, number>();
	const ring: Told[] = [];
	let next = 0;
	const mixer = createMixer();

	return {
		tell(event, bytes) {
			const at = now();
			const message = bytes ?? null;
			mixer.value(at);
			for (const name in event) mixer.value(event[name as keyof TraceEvent]);
			counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
			if (message !== null) mixer.word(checksum(message));
			ring[next] = { at, event, message };
			next = (next + 1) % kept;
			listener?.(event, at, message);
		},
		hash: mixer.hash,
		counts,
		last: () =>
			[...ring.slice(next), ...ring.slice(0, next)].map(({ at, event, message }) =>
				withHead(event, at, message),
			),
	};
}
