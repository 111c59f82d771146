// `skein step-down`: the node that is named, or whoever leads, stops to, and does not stand for a while; says who leads now, and how long writes paused.
import { connect } from "../../../client/src/index.ts";
import { commandLineClient } from "./client-options.ts";
import { confirmed } from "./confirm.ts";
import type { OptionValues, stepDownOptions } from "./options.ts";
import { clusterStatus } from "./status/cluster-status.ts";

export async function stepDown(
	values: OptionValues<typeof stepDownOptions>,
	node: string | undefined,
): Promise<void> {
	const { dryRun, restMs } = values;
	const client = connect(values.url, commandLineClient);
	const { view } = await clusterStatus(client);
	// Should the answer be lost, the same request sent again finds that this term is over.
	const term = view.databases["default"]?.term ?? null;
	const answer = await confirmed(values.confirm, (confirm) =>
		client.call("POST", "cluster/step-down", {
			term,
			...(node === undefined ? {} : { node }),
			restMs,
			confirm,
			dryRun,
		}),
	);
	if (values.json) return console.log(JSON.stringify(answer));
	if (typeof answer !== "object" || answer === null || !("changed" in answer) || !("leader" in answer)) {
		throw new Error("the answer to POST /cluster/step-down names no leader");
	}
	const { changed } = answer;
	const leader = typeof answer.leader === "string" ? answer.leader : null;
	const from = "from" in answer && typeof answer.from === "string" ? answer.from : "nobody";
	const pausedMs = "pausedMs" in answer ? Math.round(Number(answer.pausedMs)) : 0;
	const next =
		leader === null
			? `nobody leads now: writes wait, for ${pausedMs} ms so far`
			: `${leader} leads now; writes paused for ${pausedMs} ms`;
	const forLong = `it does not stand for ${Math.ceil(restMs / 1_000)} s`;
	if (dryRun) console.log(`${from} would step down, and ${leader ?? "nobody"} lead`);
	else if (!changed)
		console.log(
			`nothing to do, ${node ?? "the leader of that term"} does not lead: ${leader ?? "nobody"} leads now`,
		);
	else console.log(`${from} stepped down, ${forLong}; ${next}`);
}
