// `skein member add|remove|promote|demote`: changes who belongs to the cluster, and says who does then.

import { connect } from "../../../client/src/index.ts";
import { commandLineClient } from "./client-options.ts";
import { confirmed } from "./confirm.ts";
import { formatHostPort } from "./host-port.ts";
import { joinKind } from "./join-kind.ts";
import type { memberAddOptions, memberOptions, OptionValues } from "./options.ts";
import { UsageError } from "./usage-error.ts";

type Values = OptionValues<typeof memberOptions>;

interface Change {
	readonly change: "add" | "remove" | "promote" | "demote" | "priority";
	readonly id: string;
	readonly peer?: string;
	readonly as?: "joining" | "learner" | "witness";
	readonly priority?: string;
}

export async function addMember(
	values: OptionValues<typeof memberAddOptions>,
	node: string | undefined,
): Promise<void> {
	const id = named(node);
	if (values.peer === null)
		throw new UsageError("--peer is missing: HOST:PORT, where the other nodes reach it");
	const as = joinKind(values);
	await change(values, { change: "add", id, peer: formatHostPort(values.peer), as });
	if (!values.json && !values.dryRun) {
		console.log(
			`if it does not run yet: skein start --id ${id} --join ${values.url[0] ?? "URL"} --peer …${as === "witness" ? " --witness" : ""}`,
		);
	}
}

export async function changeMember(
	kind: "remove" | "promote" | "demote",
	values: Values,
	node: string | undefined,
): Promise<void> {
	await change(values, { change: kind, id: named(node) });
}

export async function changePriority(
	values: Values,
	node: string | undefined,
	priority: string | undefined,
): Promise<void> {
	if (priority !== "preferred" && priority !== "normal" && priority !== "never") {
		throw new UsageError("the priority is missing: preferred, normal or never");
	}
	await change(values, { change: "priority", id: named(node), priority });
}

function named(node: string | undefined): string {
	if (node === undefined) throw new UsageError("the id of the node is missing");
	return node;
}

async function change(values: Values, one: Change): Promise<void> {
	const { dryRun } = values;
	const client = connect(values.url, commandLineClient);
	const answer = await confirmed(values.confirm, (confirm) =>
		client.call("POST", "cluster/members", { changes: [one], confirm, dryRun }),
	);
	if (values.json) {
		console.log(JSON.stringify(answer));
		return;
	}
	if (typeof answer !== "object" || answer === null || !("members" in answer) || !("changed" in answer)) {
		throw new Error("the answer to POST /cluster/members names no members");
	}
	console.log(`${outcome(values.dryRun, answer.changed === true)}: ${listed(answer.members)}`);
}

function outcome(dryRun: boolean, changed: boolean): string {
	if (dryRun) return "the members would be";
	return changed ? "the members are now" : "nothing to do, the members are";
}

function listed(members: unknown): string {
	const entries = Object.entries(members as Record<string, { kind?: unknown; priority?: unknown }>);
	return entries.map(([id, one]) => `${id} (${kindText(String(one.kind), one.priority)})`).join(", ");
}

/** "voter", "voter, preferred", "voter, never leads" */
export function kindText(kind: string, priority: unknown): string {
	if (priority === "preferred") return `${kind}, preferred`;
	return priority === "never" ? `${kind}, never leads` : kind;
}
