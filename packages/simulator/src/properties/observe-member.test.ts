import { expect, test } from "vitest";
import { samples } from "../../../skein/src/peer/codec/message.samples.ts";
import { encodeMessage } from "../../../skein/src/peer/codec/message.ts";
import { wireVersions } from "../../../skein/src/peer/codec/wire-version.ts";
import type { PeerMessage } from "../../../skein/src/peer/message.ts";
import type { Network } from "../../../skein/src/world/network.ts";
import type { Observation } from "./observation.ts";
import { observeNetwork } from "./observe-member.ts";

const network: Network = {
	async start() {},
	send: () => true,
	queuedBytes: () => 0,
	reachable: () => true,
	wire: wireVersions,
	wireVersion: () => wireVersions.newest,
	meet() {},
	async stop() {},
};

function observedOf(messages: readonly PeerMessage[]): Observation[] {
	const observed: Observation[] = [];
	const watched = observeNetwork(network, (observation) => observed.push(observation));
	for (const message of messages) {
		const lane = message.type === "append-request" ? "log" : "control";
		watched.send("n2", lane, encodeMessage(message));
	}
	return observed;
}

const ofType = (type: PeerMessage["type"]): PeerMessage => {
	const found = Object.values(samples).find((message) => message.type === type);
	if (found === undefined) throw new Error(`there is no ${type} among the samples`);
	return found;
};

test("who sends appends, in which terms", () => {
	const append = { ...ofType("append-request"), from: "n1" } as PeerMessage & { readonly term: number };
	const later = { ...append, term: append.term + 1 };
	expect(observedOf([append, append, later, append])).toEqual(
		[append, later, append].map(({ term }) => ({ type: "append-sent", node: "n1", term })),
	);
});

test("who passes an append on does not lead", () => {
	const append = { ...ofType("chain-append"), from: "n1" } as PeerMessage & { readonly term: number };
	expect(observedOf([append])).toEqual([]);
	const own = { ...append, leader: "n1" } as PeerMessage;
	expect(observedOf([own])).toEqual([{ type: "append-sent", node: "n1", term: append.term }]);
});

test("what properties ask for is observed whole", () => {
	for (const type of [
		"vote-request",
		"vote-response",
		"append-response",
		"heartbeat-request",
		"timeout-now",
	] as const)
		expect(observedOf([ofType(type)])).toEqual([{ type: "sent", message: ofType(type) }]);
	expect(observedOf([ofType("heartbeat-response"), ofType("status")])).toEqual([]);
});
