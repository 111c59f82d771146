// `skein format`: tells the log format, or changes it on the running cluster.

import { connect } from "../../../client/src/index.ts";
import { isLogFormat, logFormats } from "../database/log-format.ts";
import { anyOf } from "../node/confirmation.ts";
import { commandLineClient } from "./client-options.ts";
import type { formatOptions, OptionValues } from "./options.ts";
import { UsageError } from "./usage-error.ts";

export async function format(
	values: OptionValues<typeof formatOptions>,
	wanted: string | undefined,
): Promise<void> {
	if (wanted !== undefined && !isLogFormat(wanted))
		throw new UsageError(`"${wanted}" is no log format: it is ${anyOf(logFormats)}`);
	const client = connect(values.url, commandLineClient);
	if (wanted === undefined) {
		const current = formatIn(await client.call("GET", "cluster"));
		console.log(values.json ? JSON.stringify({ format: current }) : current);
		return;
	}
	const answer = await client.call("POST", "cluster/format", { format: wanted });
	if (values.json) {
		console.log(JSON.stringify(answer));
		return;
	}
	if (typeof answer !== "object" || answer === null || !("index" in answer))
		throw new Error("the answer to POST /cluster/format names no index");
	console.log(`the log format is ${wanted} behind index ${String(answer.index)}`);
}

/** Of an answer to GET /cluster; the one database that there is. */
function formatIn(cluster: unknown): string {
	if (typeof cluster === "object" && cluster !== null && "databases" in cluster) {
		const { databases } = cluster as { databases: Readonly<Record<string, { readonly format?: unknown }>> };
		const current = databases["default"]?.format;
		if (typeof current === "string") return current;
	}
	throw new Error("the answer to GET /cluster names no log format");
}
