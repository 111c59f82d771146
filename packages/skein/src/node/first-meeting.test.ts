import { expect, test } from "vitest";
import { decodeMessage, encodeMessage } from "../peer/codec/message.ts";
import { wireVersions } from "../peer/codec/wire-version.ts";
import { silentLogger } from "../world/logger.ts";
import type { Network, NetworkReceiver } from "../world/network.ts";
import { afterFirstMeeting, type FirstMeetingOptions } from "./first-meeting.ts";
import { createVirtualClock } from "./testing/virtual-clock.ts";

const empty: FirstMeetingOptions["recovered"] = {
	promise: { term: 1, votedFor: null },
	base: { index: 0, term: 0 },
	headers: [{ index: 1, term: 1, sizeBytes: 10 }],
};

async function world(recovered: FirstMeetingOptions["recovered"]) {
	const reachable = new Set<string>();
	const sent: string[] = [];
	const clock = createVirtualClock();
	const heard: string[] = [];
	const warned: string[] = [];
	let receiver: NetworkReceiver | null = null;
	const below: Network = {
		async start(given) {
			receiver = given;
		},
		send(to, _, bytes) {
			const text = bytes.length === 0 ? "" : ` ${decodeMessage(bytes).type}`;
			return sent.push(`${to}${text}`) > 0;
		},
		queuedBytes: () => 0,
		reachable: (node) => reachable.has(node),
		wire: wireVersions,
		wireVersion: () => wireVersions.newest,
		meet() {},
		async stop() {},
	};
	const network = afterFirstMeeting(below, {
		self: "a",
		group: 1,
		recovered,
		others: ["b", "c"],
		clock,
		logger: { ...silentLogger, warn: (_: object, line: string) => void warned.push(line) },
	});
	await network.start({
		onMessage: (from) => void heard.push(from),
		onReachable: (node, isThere) => void heard.push(`${isThere ? "+" : "-"}${node}`),
	});
	const change = (node: string, isThere: boolean): void => {
		if (isThere) reachable.add(node);
		else reachable.delete(node);
		receiver?.onReachable(node, isThere);
	};
	const say = (from: string): void => receiver?.onMessage(from, "control", new Uint8Array());
	const answer = (from: string, members: object): void => {
		const body = JSON.stringify({ databases: { default: { members } } });
		const envelope = { group: 1, from, to: "a", requestId: 0 };
		const bytes = encodeMessage({ type: "call-response", ...envelope, result: { ok: true, body } });
		receiver?.onMessage(from, "log", bytes);
	};
	/** What an earlier life of this node had asked for. */
	const answerOther = (from: string): void => {
		const envelope = { group: 1, from, to: "a", requestId: 2 ** 21 + 1 };
		const result = { ok: true, body: JSON.stringify({ index: 7 }) } as const;
		receiver?.onMessage(from, "log", encodeMessage({ type: "call-response", ...envelope, result }));
	};
	return { network, heard, sent, warned, change, say, answer, answerOther, clock };
}

test("an answer to what an earlier life asked for is not taken for who belongs to the cluster", async () => {
	const { heard, change, answerOther } = await world(empty);
	change("b", true);
	answerOther("b");
	expect(heard).toEqual([]);
});

test("an empty disk takes part when all others have let it in, be it one after the other", async () => {
	const { network, heard, sent, warned, change, say, clock } = await world(empty);
	change("b", true);
	say("b");
	await clock.run(2_000);
	expect(warned).toEqual([expect.stringContaining("waiting for c:")]);
	sent.splice(0);
	expect([network.send("b", "log", new Uint8Array()), network.reachable("b")]).toEqual([false, false]);
	change("b", false);
	change("b", true);
	expect([heard, sent]).toEqual([[], []]);
	change("c", true);
	expect(heard).toEqual(["+b", "+c"]);
	say("b");
	change("c", false);
	expect(heard).toEqual(["+b", "+c", "b", "-c"]);
	expect([network.send("b", "log", new Uint8Array()), network.reachable("c")]).toEqual([true, false]);
});

test("who was removed is not waited for, if one says so that has let this member in", async () => {
	const { heard, sent, change, answer, clock } = await world(empty);
	answer("b", { a: {}, b: {} });
	change("b", true);
	change("d", true);
	expect([heard, sent]).toEqual([[], []]);
	await clock.run(1_500);
	expect(sent).toEqual(["b call-request"]);
	answer("d", { a: {}, b: {}, d: {} });
	answer("b", { a: {}, b: {}, c: {} });
	// It was removed itself.
	answer("b", { b: {} });
	expect(heard).toEqual([]);
	answer("b", { a: {}, b: {}, d: {} });
	expect(heard).toEqual(["+b", "+d"]);
	await clock.run(5_000);
	expect(sent).toEqual(["b call-request"]);
});

test("who has taken part before waits for nobody", async () => {
	const [header] = empty.headers;
	if (header === undefined) throw new Error("an entry");
	const disks: FirstMeetingOptions["recovered"][] = [
		{ ...empty, promise: { term: 2, votedFor: null } },
		{ ...empty, promise: { term: 1, votedFor: "a" } },
		{ ...empty, headers: [header, { ...header, index: 2 }] },
		{ ...empty, base: { index: 9, term: 3 }, headers: [] },
	];
	for (const recovered of disks) {
		const { network, heard, change } = await world(recovered);
		change("b", true);
		expect([heard, network.send("b", "log", new Uint8Array())]).toEqual([["+b"], true]);
	}
});
