/** An elector by its name. */
import { unreachable } from "../assert.ts";
import type { ElectorName, MonotonicTime } from "../types.ts";
import { createBullyElector } from "./bully.ts";
import type { Elector, Surroundings } from "./elector.ts";
import { createManualElector } from "./manual.ts";
import { createRaftElector } from "./raft.ts";
import { createZabElector } from "./zab.ts";

export function createElector(name: ElectorName, around: Surroundings, now: MonotonicTime): Elector {
	switch (name) {
		case "raft":
			return createRaftElector(around, now);
		case "manual":
			return createManualElector(around, now);
		case "bully":
			return createBullyElector(around, now);
		case "zab":
			return createZabElector(around, now);
		default:
			return unreachable(name);
	}
}
