/**
 * The leader's answers to the nodes that passed it a request. One that no message can hold, or that finds too many
 * waiting before it, becomes an error that says so: nobody waits for what does not come.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { GroupId, NodeId } from "../consensus/types.ts";
import type { ProgramOutcome } from "../database/program.ts";
import { encodeFor } from "../peer/encode-for.ts";
import type { RunResponse } from "../peer/message.ts";
import type { Network } from "../world/network.ts";
import { toReport } from "./forwarding.ts";
import type { Outbox } from "./outbox.ts";

export interface AnswersOptions {
	readonly self: NodeId;
	readonly group: GroupId;
	readonly outbox: Outbox;
	readonly network: Pick<Network, "wireVersion">;
	/** The longest message of the lane. */
	readonly maxMessageBytes: number;
}

export type SendAnswer = (to: NodeId, requestId: number, result: RunResponse["result"]) => void;

export function createAnswers({ self, group, network, outbox, maxMessageBytes }: AnswersOptions): SendAnswer {
	const encode = (to: NodeId, requestId: number, result: RunResponse["result"]): Uint8Array =>
		encodeFor(network, "log", { type: "run-response", group, from: self, to, requestId, result });

	return (to, requestId, result) => {
		const bytes = encode(to, requestId, result);
		const isTooLarge = bytes.length > maxMessageBytes;
		if (!isTooLarge && outbox.send(to, bytes)) return;
		const outcome = result.ok ? whatBecameOf(result.outcome) : result.failure.outcome;
		const error = isTooLarge
			? new SkeinError("the answer is larger than what nodes pass on to each other: ask for less of it", {
					code: "PAYLOAD_TOO_LARGE",
					outcome,
				})
			: new SkeinError("too many large answers wait for their way to another node: ask the leader itself", {
					code: "OVERLOADED",
					outcome,
				});
		outbox.send(to, encode(to, requestId, { ok: false, failure: toReport(error) }));
	};
}

/** Of what was done before its answer was lost. A transaction that is open is ended by the node that asked. */
function whatBecameOf({ autocommit, errors }: ProgramOutcome): SkeinError["outcome"] {
	if (!autocommit) return "did-not-happen";
	return errors.every((error) => error === null) ? "happened" : "unknown";
}
