// `skein recover`: a new cluster of one member from a survivor's data directory, when the majority is gone for good.

import type { Recovery } from "../node/recover/recovery-files.ts";
import type { RecoveryPlan } from "../node/recover/recovery-plan.ts";
import { allOf } from "../node/recover/recovery-plan.ts";
import { positionText } from "../node/recover/survivor.ts";
import type { RecoverAnswer } from "../server/recover.ts";
import { recoverCluster } from "../server/recover.ts";
import { confirmed } from "./confirm.ts";
import { formatHostPort } from "./host-port.ts";
import type { OptionValues, recoverOptions } from "./options.ts";
import { UsageError } from "./usage-error.ts";

export async function recover(values: OptionValues<typeof recoverOptions>): Promise<void> {
	const { data, survivors, peer, dryRun, json } = values;
	if (data === null) throw new UsageError("--data is missing: the data directory of a stopped node");
	const request = {
		dataDirectory: data,
		survivors: survivors ?? [],
		peer: peer === null ? null : formatHostPort(peer),
	};
	// What is asked for is told first: who is to type the sentence must see what it is about.
	const first = await recoverCluster({ ...request, confirm: null, dryRun: true });
	if (!json && first.plan !== null) console.log(planText(first.plan));
	if (dryRun) {
		if (json) console.log(JSON.stringify(first.plan ?? { unfinished: first.recovery }));
		else if (first.plan === null)
			console.log("a recovery was begun here and is not done: without --dry-run it goes on");
		return;
	}
	const answer = (await confirmed(values.confirm, (confirm) =>
		recoverCluster({ ...request, confirm, dryRun: false }),
	)) as RecoverAnswer;
	if (answer.recovery === null) throw new Error("nothing was done");
	console.log(json ? JSON.stringify(answer) : doneText(answer.recovery, answer.oldLog, data));
}

function planText(plan: RecoveryPlan): string {
	const {
		node,
		cluster,
		last,
		committedIndex,
		keptAsCommitted: kept,
		mayLoseFrom,
		best,
		witness,
		answering,
	} = plan;
	const lines = [
		["survivor", `${node} of cluster ${cluster}, term ${plan.term}`],
		["log", `ends at ${positionText(last)} (term.index)`],
		["committed", `up to ${committedIndex}: the database has applied it`],
		[
			"kept",
			kept === null
				? "nothing else"
				: `${kept.first} to ${kept.last} as if committed: nobody who is left can tell whether they were`,
		],
		[
			"may be lost",
			mayLoseFrom === null
				? "nothing that was committed: every majority has a member among the survivors"
				: `from ${mayLoseFrom} on: what it does not hold, and others may have answered. How much, its disk cannot tell`,
		],
		["given up", allOf(plan.givenUp)],
	];
	if (best.node !== node)
		lines.push(["better", `${best.node}, whose log ends at ${positionText(best.last)}`]);
	if (witness !== null)
		lines.push([
			"known",
			`${witness.node}, a witness, knows of entries up to ${positionText(witness.last)}: nobody who was looked at has them`,
		]);
	if (plan.elector === "manual")
		lines.push(["elector", `manual, as chosen: ${node} leads when it is told to (skein stand)`]);
	if (answering.length > 0) lines.push(["answering", `${allOf(answering)}: is it really gone?`]);
	return lines.map(([name = "", text]) => `${name.padEnd(12)} ${text}`).join("\n");
}

function doneText({ node, from, to, peer }: Recovery, oldLog: string | null, data: string): string {
	return [
		`${node} is the only member of the new cluster ${to}; members of ${from} are refused`,
		`the old log is kept in ${data}/${oldLog}: remove it when you are sure`,
		`start it as before (where --cluster-id is given: --cluster-id ${to}); others join it at ${peer}, with empty directories:`,
		"  skein start --id NEW --join URL-OF-THIS-NODE --peer HOST:PORT",
	].join("\n");
}
