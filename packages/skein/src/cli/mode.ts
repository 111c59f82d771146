// `skein mode`: tells the acknowledgement mode of writes that name none, or changes it on the running cluster.

import { connect } from "../../../client/src/index.ts";
import { isEarly } from "../consensus/acknowledge/acknowledgement.ts";
import {
	acknowledgementForms,
	acknowledgementText,
	parseAcknowledgement,
} from "../database/acknowledgement-text.ts";
import { commandLineClient } from "./client-options.ts";
import type { modeOptions, OptionValues } from "./options.ts";
import { UsageError } from "./usage-error.ts";

export async function mode(
	values: OptionValues<typeof modeOptions>,
	wanted: string | undefined,
): Promise<void> {
	const acknowledgement = wanted === undefined ? null : parseAcknowledgement(wanted);
	if (wanted !== undefined && acknowledgement === null)
		throw new UsageError(`"${wanted}" is no acknowledgement mode: it is ${acknowledgementForms}`);
	const client = connect(values.url, commandLineClient);
	if (acknowledgement === null) {
		const current = modeIn(await client.call("GET", "cluster"));
		console.log(values.json ? JSON.stringify({ acknowledgement: current }) : current);
		return;
	}
	const text = acknowledgementText(acknowledgement);
	const answer = await client.call("POST", "cluster/acknowledgement", { acknowledgement: text });
	if (values.json) {
		console.log(JSON.stringify(answer));
		return;
	}
	if (typeof answer !== "object" || answer === null || !("index" in answer))
		throw new Error("the answer to POST /cluster/acknowledgement names no index");
	console.log(`the acknowledgement mode is ${text} since index ${String(answer.index)}`);
	if (isEarly(acknowledgement))
		console.log(
			"writes that name no mode can be lost with their leader from now on: skein lost list tells of them",
		);
}

/** Of an answer to GET /cluster; the one database that there is. */
function modeIn(cluster: unknown): string {
	if (typeof cluster === "object" && cluster !== null && "databases" in cluster) {
		const { databases } = cluster as {
			databases: Readonly<Record<string, { readonly acknowledgement?: unknown }>>;
		};
		const current = databases["default"]?.acknowledgement;
		if (typeof current === "string") return current;
	}
	throw new Error("the answer to GET /cluster names no acknowledgement mode");
}
