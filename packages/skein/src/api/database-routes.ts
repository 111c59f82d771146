/** The paths that speak of one database, at the root for `default` and under /db/NAME for the one named. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { SkeinError } from "../../../client/src/errors.ts";
import type { Service } from "../node/service.ts";
import type { Answerer } from "./answer.ts";
import { runExplain } from "./explain.ts";
import { type PipelineContext, runPipeline } from "./hrana/pipeline.ts";
import type { ApiLimits } from "./limits.ts";
import { requestOptions } from "./request-options.ts";
import { runSql } from "./sql.ts";

interface DatabaseRoutes {
	readonly service: Service;
	readonly answer: Answerer;
	readonly limits: ApiLimits;
	readonly advertisedUrl: string | null;
	readonly pipeline: Omit<PipelineContext, "baseUrlJson">;
}

/** The only one so far. */
const defaultDatabase = "default";

export function registerDatabaseRoutes(app: FastifyInstance, routes: DatabaseRoutes): void {
	registerUnder(app, "", routes);
	registerUnder(app, "/db/:database", routes);
}

function registerUnder(app: FastifyInstance, prefix: string, routes: DatabaseRoutes): void {
	const { service, answer, limits } = routes;
	const context: PipelineContext = { ...routes.pipeline, baseUrlJson: baseUrl(routes.advertisedUrl, prefix) };

	async function pipeline(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
		checkDatabase(request);
		const options = requestOptions(request.headers, limits.requestTimeoutMs);
		const { body, reflected } = await runPipeline(context, request.body, options, reply.raw);
		answer.json(reply, body, reflected);
		return reply;
	}

	async function sql(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
		checkDatabase(request);
		const options = requestOptions(request.headers, limits.requestTimeoutMs);
		const { body, reflected } = await runSql(service, limits, request.body, options);
		answer.json(reply, body, reflected);
		return reply;
	}

	async function explain(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
		checkDatabase(request);
		answer.json(reply, JSON.stringify(await runExplain(service, limits, request.body)));
		return reply;
	}

	function probe(request: FastifyRequest, reply: FastifyReply): FastifyReply {
		checkDatabase(request);
		answer.json(reply, "{}");
		return reply;
	}

	app.post(`${prefix}/v2/pipeline`, pipeline);
	app.post(`${prefix}/v3/pipeline`, pipeline);
	app.post(`${prefix}/sql`, sql);
	app.post(`${prefix}/explain`, explain);
	// By any 2xx here a client learns that it can speak this version in JSON. /v3-protobuf must stay a 404.
	app.get(`${prefix}/v2`, probe);
	app.get(`${prefix}/v3`, probe);
}

function checkDatabase({ params }: FastifyRequest): void {
	const name =
		typeof params === "object" && params !== null && "database" in params ? params.database : defaultDatabase;
	if (name === defaultDatabase) return;
	throw new SkeinError(`there is no database ${JSON.stringify(name)}; there is ${defaultDatabase}`, {
		code: "NOT_FOUND",
	});
}

/** Ends in a slash: clients resolve `v2/pipeline` against it, and would drop a last segment without one. */
function baseUrl(advertisedUrl: string | null, prefix: string): string {
	if (advertisedUrl === null) return "null";
	const root = advertisedUrl.endsWith("/") ? advertisedUrl.slice(0, -1) : advertisedUrl;
	return JSON.stringify(`${root}${prefix.replace(":database", defaultDatabase)}/`);
}
