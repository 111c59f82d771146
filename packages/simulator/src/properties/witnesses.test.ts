/** Each thing that the property forbids is seen. */
import { expect, test } from "vitest";
import { initialConfiguration } from "../../../skein/src/consensus/configuration.ts";
import type { Entry, EntryKind } from "../../../skein/src/consensus/types.ts";
import type { CoreView } from "../../../skein/src/consensus/view.ts";
import { createMemberLogs } from "./member-logs.ts";
import type { Observation } from "./observation.ts";
import { witnesses } from "./witnesses.ts";

const data = ["n1", "n2"].map((id) => ({ id, peer: `${id}:1` }));
const configuration = initialConfiguration([...data, { id: "w1", peer: "w1:1", witness: true }]);

function world() {
	const logs = createMemberLogs();
	const { on } = witnesses(logs);
	function observe(observation: Observation): void {
		logs.update(observation);
		(on as Partial<Record<string, (one: Observation) => void>>)[observation.type]?.(observation);
	}
	const view = (node: string, role: CoreView["role"]): void =>
		observe({ type: "view", node, view: { configuration, role } as CoreView });
	const append = (node: string, kind: EntryKind, term = 1, truncateFrom: number | null = null): void => {
		const entry: Entry = { index: 1, term, kind, payload: Uint8Array.of(1) };
		observe({ type: "log-work", node, work: { type: "append", truncateFrom, entries: [entry] } });
	};
	for (const node of ["n1", "n2", "w1"]) view(node, "follower");
	return { view, append, durable: (node: string) => observe({ type: "log-durable", node }) };
}

test("a witness hears last, and of metadata alone", () => {
	const good = world();
	good.append("n1", "command");
	good.durable("n1");
	good.append("w1", "metadata");

	const early = world();
	early.append("n1", "command");
	expect(() => early.append("w1", "metadata")).toThrow("before it was on any disk with data");

	const leaking = world();
	leaking.append("n1", "command");
	leaking.durable("n1");
	expect(() => leaking.append("w1", "command")).toThrow("has the payload of 1");
	expect(() => leaking.append("n2", "metadata")).toThrow("has no payload of 1");
});

test("what a witness had heard may be gone when it is tried again; what is new to it may not", () => {
	const { append, durable } = world();
	append("n1", "command");
	durable("n1");
	append("w1", "metadata");
	append("n1", "command", 2, 1);
	durable("n1");
	append("w1", "metadata", 1, 1);
	append("n1", "command", 3, 1);
	expect(() => append("w1", "metadata", 3, 1)).toThrow("before it was on any disk with data");
});

test("a witness never stands or leads", () => {
	expect(() => world().view("w1", "candidate")).toThrow("the witness w1 is a candidate");
	expect(() => world().view("w1", "leader")).toThrow("the witness w1 is a leader");
	world().view("n1", "leader");
});
