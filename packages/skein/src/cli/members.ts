// `skein members`: who belongs to the cluster, who votes, and who leads.
import { connect } from "../../../client/src/index.ts";
import { commandLineClient } from "./client-options.ts";
import { kindText } from "./member.ts";
import type { membersOptions, OptionValues } from "./options.ts";
import { drawTable } from "./sql/show-result.ts";

export async function members(values: OptionValues<typeof membersOptions>): Promise<void> {
	const client = connect(values.url, commandLineClient);
	const answer = await client.call("GET", "cluster/members");
	if (values.json) return console.log(JSON.stringify(answer));
	if (typeof answer !== "object" || answer === null || !("members" in answer)) {
		throw new Error("the answer to GET /cluster/members names no members");
	}
	const entries = Object.entries(answer.members as Record<string, Record<string, unknown>>);
	const columns = ["node", "kind", "role", "peer", "url", "version", "wire", "lag", "reachable"];
	const rows = entries.map(([id, one]) => [
		id,
		kindText(shown(one["kind"]), one["priority"]),
		shown(one["role"]),
		shown(one["peer"]),
		shown(one["url"]),
		shown(one["version"]),
		wireText(one["wire"]),
		shown(one["lagEntries"]),
		one["reachable"] === true ? "yes" : "no",
	]);
	console.log(
		drawTable(
			columns,
			rows,
			columns.map((column) => column === "lag"),
		),
	);
}

const shown = (value: unknown): string =>
	typeof value === "string" || typeof value === "number" ? String(value) : "-";

/** The versions of messages between nodes that it understands: "5-6". */
function wireText(wire: unknown): string {
	if (typeof wire !== "object" || wire === null || !("oldest" in wire) || !("newest" in wire)) return "-";
	return wire.oldest === wire.newest ? String(wire.newest) : `${String(wire.oldest)}-${String(wire.newest)}`;
}
