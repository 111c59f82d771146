/** `GET`, `POST` and `DELETE /cluster/members`: who belongs to the cluster, and who votes. */
import type { FastifyInstance } from "fastify";
import type { Configuration, MemberChange, Priority } from "../consensus/types.ts";
import { memberKind } from "../node/cluster-view.ts";
import type { MembersRequest } from "../node/member-changes.ts";
import type { ClusterView, Service } from "../node/service.ts";
import type { Answerer } from "./answer.ts";
import { badRequest } from "./errors.ts";
import { confirmationOf, fieldsOf, flagOf } from "./operator-fields.ts";

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const peerPattern = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/;
const mostChanges = 64;

export function registerMemberRoutes(app: FastifyInstance, service: Service, answer: Answerer): void {
	app.get("/cluster/members", async (_request, reply) => {
		answer.json(reply, JSON.stringify({ members: membersOf(await service.cluster()) }));
		return reply;
	});
	app.post("/cluster/members", async (request, reply) => {
		const body = fieldsOf(request.body, ["changes", "confirm", "dryRun"]);
		const { changes } = body;
		if (!Array.isArray(changes) || changes.length === 0 || changes.length > mostChanges) {
			throw badRequest(`changes must be a list of 1 to ${mostChanges} changes`);
		}
		const result = await service.changeMembers(requestOf(changes.map(changeOf), body));
		answer.json(reply, JSON.stringify({ changed: result.changed, members: shown(result.members) }));
		return reply;
	});
	app.delete("/cluster/members", async (request, reply) => {
		const body = fieldsOf(request.body, ["node", "confirm", "dryRun"]);
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
	return { changes, confirm: confirmationOf(body), dryRun: flagOf(body, "dryRun") };
}

function changeOf(value: unknown): MemberChange {
	const fields = fieldsOf(value, ["change", "id", "peer", "as", "priority"]);
	const id = idOf(fields["id"], "id");
	switch (fields["change"]) {
		case "add":
			return { change: "add", id, peer: peerOf(fields["peer"]), as: kindOf(fields["as"]) };
		case "move":
			return { change: "move", id, peer: peerOf(fields["peer"]) };
		case "priority":
			return { change: "priority", id, priority: priorityOf(fields["priority"]) };
		case "remove":
		case "promote":
		case "demote":
			return { change: fields["change"], id };
		default:
			throw badRequest("change must be add, remove, promote, demote, move or priority");
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

function kindOf(value: unknown): "voter" | "joining" | "learner" | "witness" {
	if (value === undefined) return "joining";
	if (value === "voter" || value === "joining" || value === "learner" || value === "witness") return value;
	throw badRequest("as must be joining, learner, voter or witness");
}

function priorityOf(value: unknown): Priority {
	if (value === "preferred" || value === "normal" || value === "never") return value;
	throw badRequest("priority must be preferred, normal or never");
}

/** Who they are, and what whoever leads knows of them. */
function membersOf({ databases }: ClusterView): object {
	const group = databases["default"];
	return Object.fromEntries(
		Object.entries(group?.members ?? {}).map(([id, member]) => {
			const { kind, priority, role, peer, url, version, wire, lagEntries, reachable } = member;
			return [id, { kind, priority, role, peer, url, version, wire, lagEntries, reachable }];
		}),
	);
}

/** Who belongs to the cluster, by name. */
function shown(configuration: Configuration): object {
	return Object.fromEntries(
		configuration.members.map(({ id, peer, priority }) => [
			id,
			{ kind: memberKind(configuration, id), priority: priority ?? "normal", peer },
		]),
	);
}
