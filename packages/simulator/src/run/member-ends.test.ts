import { expect, test } from "vitest";
import { createJudgeEnds } from "./member-ends.ts";

const failure = new Error("EIO");

test("who must refuse may do anything but run", () => {
	const judge = createJudgeEnds({ mustRefuse: (node) => node === "n2", explains: () => true });
	judge([
		{ id: "n1", state: "running", failure: null },
		{ id: "n2", state: "starting", failure: null },
		{ id: "n2", state: "refused", failure },
	]);
	expect(() => judge([{ id: "n2", state: "running", failure: null }])).toThrow(/^refusal: n2 runs/u);
});

test("an end without a reason is one too many, and one that was explained stays so", () => {
	let explains = true;
	const judge = createJudgeEnds({ mustRefuse: () => false, explains: () => explains });
	judge([{ id: "n1", state: "failed", failure }]);
	explains = false;
	judge([{ id: "n1", state: "failed", failure }]);
	expect(() => judge([{ id: "n1", state: "failed", failure: new Error("EIO again") }])).toThrow(
		/^crash: n1 ended by itself/u,
	);
});
