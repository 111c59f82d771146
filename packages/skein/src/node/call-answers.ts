/** What nodes ask of each other besides writes: one answer a call, or a failure that is reported. */
import { SkeinError } from "../../../client/src/errors.ts";
import type { GroupId, NodeId } from "../consensus/types.ts";
import type { CallRequest, PeerMessage } from "../peer/message.ts";
import { toReport } from "./forwarding.ts";

export type CallHandlers = {
	readonly [Operation in CallRequest["operation"]]: (from: NodeId, body: string) => object | Promise<object>;
};

export interface CallAnswersOptions {
	readonly self: NodeId;
	readonly group: GroupId;
	readonly send: (to: NodeId, message: PeerMessage) => void;
	readonly handlers: CallHandlers;
}

export function createCallAnswers({ self, group, send, handlers }: CallAnswersOptions) {
	async function answer({ from, requestId, operation, body }: CallRequest): Promise<void> {
		const envelope = { type: "call-response", group, from: self, to: from, requestId } as const;
		try {
			const answered = JSON.stringify(await handlers[operation](from, body));
			send(from, { ...envelope, result: { ok: true, body: answered } });
		} catch (error) {
			const failure =
				error instanceof SkeinError ? error : new SkeinError(String(error), { code: "BAD_REQUEST" });
			send(from, { ...envelope, result: { ok: false, failure: toReport(failure) } });
		}
	}

	return (call: CallRequest): void => void answer(call);
}
