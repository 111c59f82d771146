/** Committed writes written by hand: ["1 x=1 y=1", "3 x=2"] are the entries 1 and 3. "-" deletes. */
import { type Effect, type Timeline, timelineOf } from "../effects.ts";

export function committed(...entries: readonly string[]): Timeline {
	return timelineOf(
		entries.map((entry): Effect => {
			const [index, ...writes] = entry.split(" ");
			return {
				position: { term: 1, index: Number(index) },
				writes: writes.map((write) => {
					const [key, value] = write.split("=");
					if (key === undefined || value === undefined) throw new Error(`no write: ${write}`);
					return { key, value: value === "-" ? null : value };
				}),
			};
		}),
	);
}
