import { expect, test } from "vitest";
import type { WireVersions } from "../world/network.ts";
import { createWireGate } from "./wire-gate.ts";

const known: Record<string, WireVersions | null> = {
	n2: { oldest: 6, newest: 7 },
	n3: { oldest: 6, newest: 6 },
	n4: null,
};

function gateOf(...members: string[]) {
	return createWireGate({
		self: "n1",
		own: { oldest: 6, newest: 7 },
		members: () => members,
		wireOf: (node) => known[node] ?? null,
	});
}

test("what came with a version waits until every member has it, and says for whom", () => {
	gateOf("n1", "n2").mustKnow(7, "log this");
	gateOf("n1", "n2", "n3", "n4").mustKnow(6, "log this");
	expect(() => gateOf("n1", "n2", "n3").mustKnow(7, "log this")).toThrow(
		"cannot log this until n3 is upgraded",
	);
	// Who has not said what it understands may be the oldest.
	expect(() => gateOf("n1", "n3", "n4").mustKnow(7, "log this")).toThrow("until n3 and n4 are upgraded");
});

test("the configurations of today can be read by all who are let in", () => {
	const member = { id: "n1", peer: "n1:1", priority: "preferred" } as const;
	const configuration = {
		members: [member],
		voters: ["n1"],
		outgoingVoters: [],
		learners: [],
		joining: [],
		retired: ["n9"],
	};
	gateOf("n1", "n3", "n4").mustKnowConfiguration(configuration);
});
