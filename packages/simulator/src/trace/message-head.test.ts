/** Against production's own codec, message by message. */
import { expect, test } from "vitest";
import { samples } from "../../../skein/src/peer/codec/message.samples.ts";
import { encodeMessage } from "../../../skein/src/peer/codec/message.ts";
import type { PeerMessage } from "../../../skein/src/peer/message.ts";
import { headOf, type MessageHead, senderOf, termOf } from "./message-head.ts";

function expected(message: PeerMessage): Partial<MessageHead> {
	switch (message.type) {
		case "pre-vote-request":
		case "vote-request":
			return { last: message.last.index };
		case "pre-vote-response":
		case "vote-response":
			return { granted: message.granted };
		case "append-request":
		case "chain-append":
			return {
				commit: message.commitIndex,
				previous: message.previous.index,
				first: message.entries[0]?.index ?? null,
				last: message.entries.at(-1)?.index ?? null,
			};
		case "append-response":
			return message.result.accepted
				? { granted: true, match: message.result.matchIndex }
				: { granted: false, previous: message.result.previousIndex };
		case "heartbeat-request":
			return { commit: message.commitIndex };
		case "heartbeat-response":
			return { last: message.lastIndex };
		case "apply-request":
			return { commit: message.index };
		case "read-index-response":
			return { commit: message.index };
		default:
			return {};
	}
}

const consensus = /^(pre-)?vote-|^append-|^chain-|^heartbeat-|^timeout-now$|^elector-|^read-index-|^appl/u;
const none = { previous: null, first: null, last: null, commit: null, match: null, granted: null };

test.for(Object.entries(samples))("the head of %s", ([, message]) => {
	const term = consensus.test(message.type) && "term" in message ? message.term : null;
	const bytes = encodeMessage(message);
	expect(headOf(bytes)).toEqual({ ...none, kind: message.type, term, ...expected(message) });
	expect(senderOf(bytes)).toBe(message.from);
	if (term !== null) expect(termOf(bytes)).toBe(term);
});

test("numbers of many bytes", () => {
	const term = 2 ** 40;
	const message = {
		type: "heartbeat-request",
		group: 1,
		from: "n1",
		to: "n2",
		term,
		commitIndex: 2 ** 50,
		round: 1,
		lease: null,
	};
	const bytes = encodeMessage(message as PeerMessage);
	expect(headOf(bytes)).toMatchObject({ term, commit: 2 ** 50 });
	expect(termOf(bytes)).toBe(term);
});
