/**
 * The stream of everything that happens in a run: counted, hashed as it goes, its last part kept for
 * the page of a failure. Two runs are the same if their hashes are.
 */
import type { WorldTime } from "../engine/scheduler.ts";
import type { Tell, TimedEvent, TraceEvent } from "./event.ts";
import { headOf } from "./message-head.ts";

export interface Trace {
	readonly tell: Tell;
	/** Of all events so far, with their times. 16 hexadecimal digits. */
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
	/** Hears every event: a web page, a file. */
	readonly listener?: (event: TraceEvent, at: WorldTime, message: Uint8Array | null) => void;
}

/** As much of a message as counts for the hash: its type, its term and its indexes are in it. */
const mixedBytes = 28;

/** With what the message says, if it is of one: nobody reads that of the thousands at which nobody looks. */
export function withHead(event: TraceEvent, at: WorldTime, message: Uint8Array | null): TimedEvent {
	return message === null ? { at, ...event } : { at, ...event, ...headOf(message) };
}

interface Told {
	readonly at: WorldTime;
	readonly event: TraceEvent;
	readonly message: Uint8Array | null;
}

export function createTrace({ now, kept, listener }: TraceOptions): Trace {
	const counts = new Map<string, number>();
	const ring: Told[] = [];
	let next = 0;
	let high = 0x811c9dc5;
	let low = 0x2c1b3c6d;

	function mix(value: number): void {
		high = Math.imul(high ^ value, 0x01000193);
		low = Math.imul(((low << 5) | (low >>> 27)) ^ value, 0x297a2d39);
	}

	function mixText(text: string): void {
		mix(text.length);
		for (let place = 0; place < text.length; place++) mix(text.charCodeAt(place));
	}

	function mixNumber(value: number): void {
		// Times have fractions: both halves of 2 ** 53.
		const scaled = Math.round(value * 1024);
		mix(scaled | 0);
		mix((scaled / 4294967296) | 0);
	}

	function mixValue(value: unknown): void {
		switch (typeof value) {
			case "string":
				return mixText(value);
			case "number":
				return mixNumber(value);
			default:
				return mix(value === true ? 1 : value === false ? 2 : 3);
		}
	}

	function mixBytes(bytes: Uint8Array): void {
		const size = Math.min(mixedBytes, bytes.length);
		for (let place = 0; place < size; place++) mix(bytes[place] ?? 0);
	}

	return {
		tell(event, bytes) {
			const at = now();
			const message = bytes ?? null;
			mixNumber(at);
			for (const name in event) mixValue(event[name as keyof TraceEvent]);
			counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
			if (message !== null) mixBytes(message);
			ring[next] = { at, event, message };
			next = (next + 1) % kept;
			listener?.(event, at, message);
		},
		hash: () => hexadecimal(high) + hexadecimal(low),
		counts,
		last: () =>
			[...ring.slice(next), ...ring.slice(0, next)].map(({ at, event, message }) =>
				withHead(event, at, message),
			),
	};
}

const hexadecimal = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
