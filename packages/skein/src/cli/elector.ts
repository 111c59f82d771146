// `skein elector`: tells who stands, and when, or changes it on the running cluster. `skein stand`: a node asks for leadership now.
import { connect } from "../../../client/src/index.ts";
import { electorNames } from "../consensus/types.ts";
import { anyOf } from "../node/confirmation.ts";
import { commandLineClient } from "./client-options.ts";
import type { electorOptions, OptionValues, standOptions } from "./options.ts";
import { UsageError } from "./usage-error.ts";

export async function elector(
	values: OptionValues<typeof electorOptions>,
	wanted: string | undefined,
): Promise<void> {
	if (wanted !== undefined && !electorNames.some((name) => name === wanted))
		throw new UsageError(`"${wanted}" is no elector: it is ${anyOf(electorNames)}`);
	const { dryRun } = values;
	const client = connect(values.url, commandLineClient);
	if (wanted === undefined) {
		const current = electorIn(await client.call("GET", "cluster"));
		console.log(values.json ? JSON.stringify({ elector: current }) : current);
		return;
	}
	const answer = await client.call("POST", "cluster/elector", { elector: wanted, dryRun });
	if (values.json) return console.log(JSON.stringify(answer));
	if (dryRun) console.log(`the elector would be ${wanted}`);
	else if (hasChanged(answer)) console.log(`the elector is ${wanted} now`);
	else console.log(`nothing to do, the elector is ${wanted}`);
}

export async function stand(
	values: OptionValues<typeof standOptions>,
	node: string | undefined,
): Promise<void> {
	const { dryRun } = values;
	const client = connect(values.url, commandLineClient);
	const answer = await client.call("POST", "cluster/stand", { node: node ?? null, dryRun });
	if (values.json) return console.log(JSON.stringify(answer));
	if (typeof answer !== "object" || answer === null || !("leader" in answer))
		throw new Error("the answer to POST /cluster/stand names no leader");
	const leader = String(answer.leader);
	if (dryRun) console.log(`${leader} would ask for leadership`);
	else console.log(hasChanged(answer) ? `${leader} leads now` : `nothing to do, ${leader} leads`);
}

function hasChanged(answer: unknown): boolean {
	return typeof answer === "object" && answer !== null && "changed" in answer && answer.changed === true;
}

/** Of an answer to GET /cluster; the one database that there is. */
function electorIn(cluster: unknown): string {
	if (typeof cluster === "object" && cluster !== null && "databases" in cluster) {
		const { databases } = cluster as { databases: Readonly<Record<string, { readonly elector?: unknown }>> };
		const current = databases["default"]?.elector;
		if (typeof current === "string") return current;
	}
	throw new Error("the answer to GET /cluster names no elector");
}
