// `skein pause-elections` and `skein resume-elections`: whether members stand by themselves.
import { connect } from "../../../client/src/index.ts";
import { commandLineClient } from "./client-options.ts";
import { confirmed } from "./confirm.ts";
import type { OptionValues, pauseElectionsOptions, resumeElectionsOptions } from "./options.ts";

export async function pauseElections(values: OptionValues<typeof pauseElectionsOptions>): Promise<void> {
	await ask(values, values.forMs, values.confirm);
}

export async function resumeElections(values: OptionValues<typeof resumeElectionsOptions>): Promise<void> {
	await ask(values, 0, null);
}

async function ask(
	values: OptionValues<typeof resumeElectionsOptions>,
	pausedForMs: number,
	given: string | null,
): Promise<void> {
	const { dryRun } = values;
	const client = connect(values.url, commandLineClient);
	const answer = await confirmed(given, (confirm) =>
		client.call("POST", "cluster/elections", { pausedForMs, confirm, dryRun }),
	);
	if (values.json) return console.log(JSON.stringify(answer));
	if (typeof answer !== "object" || answer === null || !("told" in answer) || !("notTold" in answer)) {
		throw new Error("the answer to POST /cluster/elections does not say who was told");
	}
	const told = (answer.told as string[]).join(", ");
	const notTold = answer.notTold as string[];
	const changed = "changed" in answer && answer.changed === true;
	if (dryRun) {
		const would = pausedForMs > 0 ? `be paused for ${Math.ceil(pausedForMs / 1_000)} s` : "go on";
		return console.log(`elections would ${would} on ${told}`);
	}
	const what =
		pausedForMs > 0
			? `elections are paused for ${Math.ceil(pausedForMs / 1_000)} s on ${told}: nobody stands by itself, also if the leader dies`
			: `elections go on on ${told}${changed ? "" : "; they were not paused"}`;
	console.log(what);
	if (notTold.length > 0)
		console.log(`not told, as they cannot be reached: ${notTold.join(", ")}; they are when they can`);
}
