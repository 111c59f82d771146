/** async: the leader has it on disk, and nobody else need have heard of it. */
import type { LogIndex } from "../types.ts";
import type { Standing } from "./standing.ts";

export function asyncIndex({ durableIndex }: Standing): LogIndex {
	return durableIndex;
}
