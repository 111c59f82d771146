/** How often it was asked what the watch of the members does not ask: what nobody asked was not tested by a run. */
import { type HistoryProperty, historyProperties } from "./checks.ts";

const otherProperties = [
	"refusal",
	"applied entries were appended",
	"lost writes are reported",
	"acknowledgement mode",
	"log format",
	"answered in the mode that was chosen",
] as const;
type Asked = HistoryProperty | (typeof otherProperties)[number];

export interface AskedCount {
	readonly times: ReadonlyMap<string, number>;
	readonly ask: Ask;
}

export type Ask = (property: Asked, times?: number) => void;

/** `leftOut`: what this run cannot ask. */
export function createAskedCount(leftOut: readonly Asked[] = []): AskedCount {
	const all = [...otherProperties, ...historyProperties].filter((name) => !leftOut.includes(name));
	const times = new Map<string, number>(all.map((name) => [name, 0]));
	return {
		times,
		ask: (property, more = 1) => void times.set(property, (times.get(property) ?? 0) + more),
	};
}
