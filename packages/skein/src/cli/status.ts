// `skein status`: the nodes as a table or JSON, once or every second.
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../../client/src/index.ts";
import { commandLineClient } from "./client-options.ts";
import { listenForStop } from "./interrupt.ts";
import type { OptionValues, statusOptions } from "./options.ts";
import { errorText } from "./sql/show-error.ts";
import { clusterStatus, statusTable } from "./status/cluster-status.ts";

type StatusValues = OptionValues<typeof statusOptions>;

const redrawMs = 1_000;

export async function status(values: StatusValues): Promise<void> {
	const client = connect(values.url, commandLineClient);
	const draw = async (): Promise<string> => {
		const now = await clusterStatus(client);
		return values.json ? JSON.stringify({ ...now.view, nodes: now.nodes }) : statusTable(now);
	};
	if (!values.watch) {
		console.log(await draw());
		return;
	}
	const { asked } = listenForStop(() => process.exit(0));
	process.stdout.once("error", () => process.exit(0));
	while (!asked.aborted) {
		const text = await draw().catch((error: unknown) => `no node answers: ${errorText(error)}`);
		show(
			values.json ? text : `${new Date().toLocaleTimeString()}  ${values.url.join(", ")}\n${text}`,
			values,
		);
		await sleep(redrawMs, undefined, { signal: asked }).catch(() => {});
	}
}

/** On a terminal the picture replaces the one before, and stays within the window. */
function show(text: string, values: StatusValues): void {
	if (values.json || !process.stdout.isTTY) {
		process.stdout.write(`${text}\n`);
		return;
	}
	const { rows, columns } = process.stdout;
	const lines = text.split("\n").slice(0, Math.max(1, rows - 1));
	const picture = lines.map((line) => `${line.slice(0, columns)}\u001b[K`).join("\n");
	process.stdout.write(`\u001b[H${picture}\n\u001b[J`);
}
