/** `POST /cluster/elector` and `POST /cluster/stand`: who stands, and telling a member to. */
import type { FastifyInstance } from "fastify";
import { type ElectorName, electorNames } from "../consensus/types.ts";
import type { Service } from "../node/service.ts";
import type { Answerer } from "./answer.ts";
import { badRequest } from "./errors.ts";
import { fieldsOf, flagOf } from "./operator-fields.ts";

export function registerElectingRoutes(app: FastifyInstance, service: Service, answer: Answerer): void {
	app.post("/cluster/elector", async (request, reply) => {
		const body = fieldsOf(request.body, ["elector", "dryRun"]);
		const elector = electorOf(body["elector"]);
		const changes = [{ change: "elector", elector }] as const;
		const { changed } = await service.changeMembers({
			changes,
			confirm: null,
			dryRun: flagOf(body, "dryRun"),
		});
		answer.json(reply, JSON.stringify({ changed, elector }));
		return reply;
	});
	app.post("/cluster/stand", async (request, reply) => {
		const body = fieldsOf(request.body ?? {}, ["node", "dryRun"]);
		const node = body["node"] ?? null;
		if (node !== null && (typeof node !== "string" || node === ""))
			throw badRequest("node must be the id of a node");
		answer.json(reply, JSON.stringify(await service.stand({ node, dryRun: flagOf(body, "dryRun") })));
		return reply;
	});
}

function electorOf(value: unknown): ElectorName {
	const elector = electorNames.find((name) => name === value);
	if (elector === undefined) throw badRequest(`elector must be one of ${electorNames.join(", ")}`);
	return elector;
}
