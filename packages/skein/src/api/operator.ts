/** What an operator asks of leadership: handing it over, taking it away, pausing elections. */
import type { FastifyInstance } from "fastify";
import { longestPauseMs } from "../node/elections.ts";
import type { Service } from "../node/service.ts";
import type { Answerer } from "./answer.ts";
import { badRequest } from "./errors.ts";
import { confirmationOf, fieldsOf, flagOf, wholeNumberOf } from "./operator-fields.ts";

/** How long who stepped down does not stand by itself, if nothing else is asked for. */
const defaultRestMs = 60_000;

export function registerOperatorRoutes(app: FastifyInstance, service: Service, answer: Answerer): void {
	app.post("/cluster/transfer", async (request, reply) => {
		const body = fieldsOf(request.body ?? {}, ["to", "dryRun"]);
		const result = await service.transfer(nodeOf(body, "to"), flagOf(body, "dryRun"));
		answer.json(reply, JSON.stringify(result));
		return reply;
	});
	app.post("/cluster/step-down", async (request, reply) => {
		const body = fieldsOf(request.body ?? {}, ["term", "node", "restMs", "confirm", "dryRun"]);
		const node = nodeOf(body, "node");
		const result = await service.stepDown({
			...(node === null ? {} : { node }),
			term: wholeNumberOf(body, "term", Number.MAX_SAFE_INTEGER),
			restMs: wholeNumberOf(body, "restMs", longestPauseMs) ?? defaultRestMs,
			confirm: confirmationOf(body),
			dryRun: flagOf(body, "dryRun"),
		});
		answer.json(reply, JSON.stringify(result));
		return reply;
	});
	app.post("/cluster/elections", async (request, reply) => {
		const body = fieldsOf(request.body, ["pausedForMs", "confirm", "dryRun"]);
		const forMs = wholeNumberOf(body, "pausedForMs", longestPauseMs);
		if (forMs === null)
			throw badRequest("pausedForMs is missing: for how long elections pause; 0: they go on");
		const result = await service.pauseElections({
			forMs,
			confirm: confirmationOf(body),
			dryRun: flagOf(body, "dryRun"),
		});
		answer.json(reply, JSON.stringify(result));
		return reply;
	});
}

function nodeOf(body: Readonly<Record<string, unknown>>, name: string): string | null {
	const node = body[name];
	if (node === undefined || node === null) return null;
	if (typeof node !== "string" || node === "") throw badRequest(`${name} must be the id of a node`);
	return node;
}
