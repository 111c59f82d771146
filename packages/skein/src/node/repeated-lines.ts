/** A condition that stays, such as a full disk, is met again and again: its line in the log is due once in a while. */
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";

export const repeatedLineMs: Milliseconds = 10_000;

/** Tells whether the line was not written for a while, and takes it as written then. */
export function createRepeatedLines(clock: Clock): (line: string) => boolean {
	const written = new Map<string, MonotonicTime>();

	return (line) => {
		const now = clock.now();
		for (const [other, at] of written) if (now - at >= repeatedLineMs) written.delete(other);
		if (written.has(line)) return false;
		written.set(line, now);
		return true;
	};
}
