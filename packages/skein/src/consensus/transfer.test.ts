/** Leadership that is not handed over after all: refused, too late, or somebody else's. The rest is in testdata/transfer*.txt. */
import { expect, test } from "vitest";
import type { ConsensusMessage } from "./message.ts";
import { defaultConsensusSettings } from "./settings.ts";
import { createSmallGroup, ofType } from "./testing/small-group.ts";
import type { NodeId } from "./types.ts";

const { transferTimeoutMs, electionTimeoutMs } = defaultConsensusSettings;
const isTold = ({ type }: ConsensusMessage): boolean => type === "timeout-now";

/** n1 leads. */
function world(ids: readonly NodeId[] = ["n1", "n2", "n3"]) {
	const group = createSmallGroup(ids);
	const transfer = (to: NodeId | null) =>
		ofType(group.step("n1", { type: "transfer", to }), "transfer-ended").map(
			({ outcome, why }) => `${outcome}: ${why}`,
		);
	return { ...group, transfer };
}

function established(ids?: readonly NodeId[]) {
	const group = world(ids);
	group.stand("n1");
	group.beat("n1", 2);
	return group;
}

test("while leadership is being handed to one it is not handed to another", () => {
	const { transfer, view } = established();
	expect(transfer("n2")).toEqual([]);
	expect(transfer("n3")).toEqual(["refused: leadership is being handed to n2 already"]);
	expect(view("n1").transferTo).toBe("n2");
});

test("a leader that is not established hands nothing over", () => {
	const { transfer, stand, view } = world();
	stand("n1", ({ type }) => type === "append-request");
	expect(view("n1").role).toBe("leader");
	expect(transfer("n2")).toEqual(["refused: this leader is not established yet"]);
	expect(view("n1").transferTo).toBe(null);
});

test("who leads already need not be told, and who is alone has nobody to tell", () => {
	const { transfer, beat, view } = established();
	beat("n1", 20);
	expect(transfer("n1")).toEqual(["done: this member leads already"]);
	expect(view("n1").transferTo).toBe(null);
	const alone = world(["n1"]);
	alone.stand("n1");
	expect(alone.view("n1").established).toBe(true);
	expect(alone.transfer(null)).toEqual(["refused: no other voter that may lead was heard from"]);
	expect(alone.view("n1").transferTo).toBe(null);
});

test.each([
	[electionTimeoutMs - 1, []],
	[electionTimeoutMs, ["refused: n3 was not heard from"]],
])("of a target that was heard %i ms ago it is said %j", (silentMs, said) => {
	const { transfer, beat, tick, away } = established();
	away.add("n3");
	beat("n1", Math.floor(silentMs / 50));
	tick("n1", silentMs % 50);
	expect(transfer("n3")).toEqual(said);
});

test("a target that does not take over has its time to the end, and no longer", () => {
	const { transfer, beat, tick, take, view } = established();
	transfer("n2");
	beat("n1", transferTimeoutMs / 50 - 1, isTold);
	take("n1");
	expect(ofType(tick("n1", 49), "transfer-ended")).toEqual([]);
	expect(view("n1").transferTo).toBe("n2");
	expect(ofType(tick("n1", 1), "transfer-ended")).toEqual([
		{ type: "transfer-ended", to: "n2", outcome: "timed-out", why: "n2 did not take over in time" },
	]);
	expect(view("n1")).toMatchObject({ role: "leader", transferTo: null });
});

test("whoever is elected instead of the target, it is said so, and was not done", () => {
	const { transfer, stand, beat, take, away, simulation, view } = established();
	transfer("n2");
	simulation.inFlight.length = 0;
	away.add("n1");
	stand("n3");
	expect(view("n3").established).toBe(true);
	away.delete("n1");
	take("n1");
	beat("n3");
	expect(ofType(take("n1"), "transfer-ended")).toEqual([
		{ type: "transfer-ended", to: "n2", outcome: "lost", why: "n3 was elected instead" },
	]);
	expect(view("n1").transferTo).toBe(null);
});
