/** The texts of the read levels, as in `Skein-Consistency`. */
import { SkeinError } from "../../../client/src/errors.ts";
import type { Position } from "../consensus/types.ts";
import type { Consistency } from "./service.ts";

const linearizable: Consistency = { level: "linearizable" };
const eventual: Consistency = { level: "eventual" };

/** `token`: what the session has seen; it counts at the level session. */
export function parseConsistency(text: string, token: Position | null): Consistency {
	if (text === "linearizable") return linearizable;
	if (text === "eventual") return eventual;
	if (text === "session") return { level: "session", token };
	const bound = /^bounded;\s*max-staleness-ms=(\d{1,12})$/.exec(text);
	if (bound !== null) return { level: "bounded", maxStalenessMs: Number(bound[1]) };
	throw new SkeinError(
		`the consistency must be linearizable, session, bounded;max-staleness-ms=N or eventual, not ${JSON.stringify(text.slice(0, 100))}`,
		{ code: "BAD_REQUEST" },
	);
}
