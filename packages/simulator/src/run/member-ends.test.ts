import { expect, test } from "vitest";
import { createAskedCount } from "./asked.ts";
import { createJudgeEnds } from "./member-ends.ts";

const failure = new Error("EIO");

test("who must refuse may do anything but run", () => {
	const { ask, times } = createAskedCount();
	const judge = createJudgeEnds({ mustRefuse: (node) => node === "n2", explains: () => true }, ask);
	judge([
		{ id: "n1", state: "running", failure: null },
		{ id: "n2", state: "starting", failure: null },
		{ id: "n2", state: "refused", failure },
	]);
	expect(times.get("refusal")).toBe(2);
	expect(() => judge([{ id: "n2", state: "running", failure: null }])).toThrow(/^refusal: n2 runs/u);
});

test("an end without a reason is one too many, and one that was explained stays so", () => {
	let explains = true;
	const judge = createJudgeEnds(
		{ mustRefuse: () => false, explains: () => explains },
		createAskedCount().ask,
	);
	judge([{ id: "n1", state: "failed", failure }]);
	explains = false;
	judge([{ id: "n1", state: "failed", failure }]);
	expect(() => judge([{ id: "n1", state: "failed", failure: new Error("EIO again") }])).toThrow(
		/^crash: n1 ended by itself/u,
	);
});
