/** Who ended by itself must have had a reason, and who must refuse to start does not run (DESIGN.md, "Ends of members"). */
import type { Member } from "../cluster/member.ts";
import { BrokenProperty } from "../properties/property.ts";
import type { Ask } from "./asked.ts";
import type { Nemesis } from "./nemesis.ts";

/** Looks at the members that an event touched. Throws BrokenProperty. */
export type JudgeEnds = (touched: readonly Pick<Member, "id" | "state" | "failure">[]) => void;

export function createJudgeEnds(nemesis: Pick<Nemesis, "explains" | "mustRefuse">, ask: Ask): JudgeEnds {
	const explained = new WeakSet<Error>();

	return (touched) => {
		for (const { id, failure, state } of touched) {
			if (nemesis.mustRefuse(id)) {
				ask("refusal");
				if (state === "running")
					throw new BrokenProperty("refusal", `${id} runs with a log that is damaged where it must notice`);
			}
			if (failure === null || explained.has(failure)) continue;
			if (!nemesis.explains(id, failure))
				throw new BrokenProperty("crash", `${id} ended by itself: ${failure.stack}`);
			explained.add(failure);
		}
	};
}
