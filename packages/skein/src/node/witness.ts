/** What a witness says to those who take it for a node with data. */
import { SkeinError } from "../../../client/src/errors.ts";
import type { NodeId } from "../consensus/types.ts";
import type { Readiness } from "./service.ts";

/** A witness that is well; clients are to go elsewhere all the same. */
export const witnessReason = "a witness: it votes and holds no data, so send clients to another node";

export function witnessReadiness(leader: NodeId | null): Readiness {
	return { ready: false, reason: leader === null ? "a witness, and there is no leader" : witnessReason };
}

export function holdsNoData(leader: NodeId | null, urlOf: (node: NodeId) => string | null): SkeinError {
	const url = leader === null ? null : urlOf(leader);
	const who =
		leader === null ? "nobody leads just now" : `${leader} leads${url === null ? "" : `, at ${url}`}`;
	return new SkeinError(`this node is a witness and holds no data, ask another one: ${who}`, {
		code: "WITNESS",
	});
}
