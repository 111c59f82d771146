/** What operators and machines ask: the state of the cluster, health, readiness, handing leadership over, members, settings of the database. */
import type { FastifyInstance } from "fastify";
import {
	acknowledgementForms,
	acknowledgementText,
	parseAcknowledgement,
} from "../database/acknowledgement-text.ts";
import { isLogFormat, logFormats } from "../database/log-format.ts";
import type { SettingChange } from "../database/setting-change.ts";
import type { Service } from "../node/service.ts";
import type { Answerer } from "./answer.ts";
import { registerElectingRoutes } from "./electing.ts";
import { badRequest } from "./errors.ts";
import { isRecord } from "./hrana/values.ts";
import { registerMemberRoutes } from "./members.ts";
import { metricsText } from "./metrics.ts";
import { registerOperatorRoutes } from "./operator.ts";

interface ClusterRoutes {
	readonly service: Service;
	readonly version: string;
	readonly answer: Answerer;
}

export function registerClusterRoutes(
	app: FastifyInstance,
	{ service, version, answer }: ClusterRoutes,
): void {
	app.get("/", (_request, reply) => {
		answer.text(reply, welcome(service.nodeId, version));
		return reply;
	});
	app.get("/health", (_request, reply) => {
		answer.json(reply, '{"status":"ok"}');
		return reply;
	});
	app.get("/ready", (_request, reply) => {
		const { ready, reason } = service.readiness();
		if (ready) answer.json(reply, '{"ready":true}');
		else answer.error(reply, { message: reason, code: "NOT_READY" });
		return reply;
	});
	app.get("/version", (_request, reply) => {
		answer.json(reply, JSON.stringify({ version }));
		return reply;
	});
	app.get("/cluster", async (_request, reply) => {
		answer.json(reply, JSON.stringify(await service.cluster()));
		return reply;
	});
	app.get("/metrics", (_request, reply) => {
		answer.text(reply, metricsText(service.ownView()));
		return reply;
	});
	registerOperatorRoutes(app, service, answer);
	registerElectingRoutes(app, service, answer);
	registerMemberRoutes(app, service, answer);
	app.post("/cluster/format", async (request, reply) => {
		const change = formatFrom(request.body);
		const { index } = await service.changeSetting(change);
		answer.json(reply, JSON.stringify({ format: change.value, index }));
		return reply;
	});
	app.post("/cluster/acknowledgement", async (request, reply) => {
		const change = acknowledgementFrom(request.body);
		const { index } = await service.changeSetting(change);
		answer.json(reply, JSON.stringify({ acknowledgement: acknowledgementText(change.value), index }));
		return reply;
	});
}

function formatFrom(body: unknown): Extract<SettingChange, { name: "format" }> {
	const shape = `the body must be {"format": ${logFormats.map((format) => `"${format}"`).join(" | ")}}`;
	if (!isRecord(body) || Object.keys(body).some((key) => key !== "format")) throw badRequest(shape);
	const { format } = body;
	if (!isLogFormat(format)) throw badRequest(shape);
	return { name: "format", value: format };
}

function acknowledgementFrom(body: unknown): Extract<SettingChange, { name: "acknowledgement" }> {
	const shape = `the body must be {"acknowledgement": MODE}, where MODE is ${acknowledgementForms}`;
	if (!isRecord(body) || Object.keys(body).some((key) => key !== "acknowledgement")) throw badRequest(shape);
	const { acknowledgement } = body;
	const value = typeof acknowledgement === "string" ? parseAcknowledgement(acknowledgement) : null;
	if (value === null) throw badRequest(shape);
	return { name: "acknowledgement", value };
}

function welcome(nodeId: string, version: string): string {
	return `Skein ${version}, node ${nodeId}

POST /sql               {"sql": "SELECT 1", "args": []}, or an array of them as one transaction
POST /v2/pipeline       the libSQL remote protocol: createClient({ url }) of @libsql/client (also /v3/pipeline)
POST /explain           {"sql": "…"}: how it would be logged, and why
     /db/NAME/…         the same for the database NAME
GET  /cluster           members, roles, indexes, lag
POST /cluster/transfer  {"to": "NODE"}: hand leadership over
POST /cluster/step-down {"restMs": 60000}: whoever leads stops to
POST /cluster/elections {"pausedForMs": 600000}: nobody stands by itself; 0: all do again
POST /cluster/elector   {"elector": "raft" | "manual" | "bully" | "zab"}: who stands, and when
POST /cluster/stand     {"node": "NODE"}: it asks for leadership, where nobody leads
GET  /cluster/members   who they are
POST /cluster/members   {"changes": [{"change": "add", "id": "NODE", "peer": "HOST:PORT"}]}: also remove, promote, demote, move, priority
DELETE /cluster/members {"node": "NODE"}
POST /cluster/format    {"format": "row" | "statement"}: what the log holds from now on
POST /cluster/acknowledgement {"acknowledgement": "quorum"}: the mode of writes that name none
GET  /health  /ready  /version  /metrics
`;
}
