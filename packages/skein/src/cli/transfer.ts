// `skein transfer`: hands leadership over, and says how long writes paused.

import { connect } from "../../../client/src/index.ts";
import { commandLineClient } from "./client-options.ts";
import type { OptionValues, transferOptions } from "./options.ts";

export async function transfer(
	values: OptionValues<typeof transferOptions>,
	node: string | undefined,
): Promise<void> {
	const { dryRun } = values;
	const client = connect(values.url, commandLineClient);
	const body = node === undefined ? { dryRun } : { to: node, dryRun };
	const answer = await client.call("POST", "cluster/transfer", body);
	if (values.json) {
		console.log(JSON.stringify(answer));
		return;
	}
	if (typeof answer !== "object" || answer === null || !("leader" in answer) || !("pausedMs" in answer)) {
		throw new Error("the answer to POST /cluster/transfer names no leader");
	}
	const leader = String(answer.leader);
	if (dryRun) console.log(`${leader} would lead`);
	else if ("changed" in answer && answer.changed === false) console.log(`nothing to do, ${leader} leads`);
	else console.log(`${leader} leads now; writes paused for ${Math.round(Number(answer.pausedMs))} ms`);
}
