/** `POST` and `DELETE /cluster/members`: who belongs to the cluster, and who votes. */
import type { FastifyInstance } from "fastify";
import type { Configuration, MemberChange } from "../consensus/types.ts";
import { memberKind } from "../node/cluster-view.ts";
import type { MembersRequest } from "../node/member-changes.ts";
import type { Service } from "../node/service.ts";
import type { Answerer } from "./answer.ts";
import { badRequest } from "./errors.ts";
import { isRecord } from "./hrana/values.ts";

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const peerPattern = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/;
const mostChanges = 64;

export function registerMemberRoutes(app: FastifyInstance, service: Service, answer: Answerer): void {
	app.post("/cluster/members", async (request, reply) => {
		const body = fieldsOf(request.body, ["changes", "force", "dryRun"]);
		const { changes } = body;
		if (!Array.isArray(changes) || changes.length === 0 || changes.length > mostChanges) {
			throw badRequest(`changes must be a list of 1 to ${mostChanges} changes`);
		}
		const result = await service.changeMembers(requestOf(changes.map(changeOf), body));
		answer.json(reply, JSON.stringify({ changed: result.changed, members: shown(result.members) }));
		return reply;
	});
	app.delete("/cluster/members", async (request, reply) => {
		const body = fieldsOf(request.body, ["node", "force", "dryRun"]);
		const result = await service.changeMembers(
			requestOf([{ change: "remove", id: idOf(body["node"], "node") }], body),
		);
		answer.json(reply, JSON.stringify({ changed: result.changed, members: shown(result.members) }));
		return reply;
	});
}

function requestOf(
	changes: readonly MemberChange[],
	body: Readonly<Record<string, unknown>>,
): MembersRequest {
	return { changes, force: flagOf(body, "force"), dryRun: flagOf(body, "dryRun") };
}

/** A misspelt field would be ignored, and with it what it was meant to prevent. */
function fieldsOf(body: unknown, known: readonly string[]): Record<string, unknown> {
	if (!isRecord(body)) throw badRequest(`the body must be an object with ${known.join(", ")}`);
	const unknown = Object.keys(body).find((key) => !known.includes(key));
	if (unknown !== undefined) {
		throw badRequest(`unknown field ${JSON.stringify(unknown)}: there are ${known.join(", ")}`);
	}
	return body;
}

function flagOf(body: Readonly<Record<string, unknown>>, name: string): boolean {
	const value = body[name] ?? false;
	if (typeof value !== "boolean") throw badRequest(`${name} must be true or false`);
	return value;
}

function changeOf(value: unknown): MemberChange {
	const fields = fieldsOf(value, ["change", "id", "peer", "as"]);
	const id = idOf(fields["id"], "id");
	switch (fields["change"]) {
		case "add":
			return { change: "add", id, peer: peerOf(fields["peer"]), as: kindOf(fields["as"]) };
		case "move":
			return { change: "move", id, peer: peerOf(fields["peer"]) };
		case "remove":
		case "promote":
		case "demote":
			return { change: fields["change"], id };
		default:
			throw badRequest("change must be add, remove, promote, demote or move");
	}
}

function idOf(value: unknown, name: string): string {
	if (typeof value === "string" && idPattern.test(value)) return value;
	throw badRequest(`${name} must be the id of a node: 1 to 64 letters, digits, dots, dashes or underscores`);
}

function peerOf(value: unknown): string {
	if (typeof value === "string" && value.length <= 255 && peerPattern.test(value)) return value;
	throw badRequest("peer must be HOST:PORT, where the other nodes reach this one");
}

function kindOf(value: unknown): "voter" | "joining" | "learner" {
	if (value === undefined) return "joining";
	if (value === "voter" || value === "joining" || value === "learner") return value;
	throw badRequest("as must be joining, learner or voter");
}

/** Who belongs to the cluster, by name. */
function shown(configuration: Configuration): object {
	return Object.fromEntries(
		configuration.members.map(({ id, peer }) => [id, { kind: memberKind(configuration, id), peer }]),
	);
}
