/** The HTTP server of one node: its routes, what every request passes through, start and graceful stop. */
import type { ServerResponse } from "node:http";
import { Server as NetServer } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { SkeinError } from "../../../client/src/errors.ts";
import type { Service } from "../node/service.ts";
import type { Clock } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import type { Random } from "../world/random.ts";
import { type Answerer, createAnswerer } from "./answer.ts";
import { type BodyReader, createBodyReader } from "./body.ts";
import { answerClientError } from "./client-error.ts";
import { registerClusterRoutes } from "./cluster.ts";
import { registerDatabaseRoutes } from "./database-routes.ts";
import { badRequest, encodeError, viewOf } from "./errors.ts";
import { createStreams, type Streams } from "./hrana/streams.ts";
import { type ApiLimits, defaultApiLimits } from "./limits.ts";

export interface ApiOptions {
	readonly service: Service;
	readonly version: string;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	/** Where clients reach this very node, if the operator said so: streams that are kept are pinned to it. */
	readonly advertisedUrl?: string | null;
	/** What is to differ from the defaults. */
	readonly limits?: Partial<ApiLimits>;
}

export interface HostPort {
	readonly host: string;
	/** 0: any free one. */
	readonly port: number;
}

export interface Api {
	/** Resolves with the real address when clients can connect; rejects when the port is taken. */
	listen(address: HostPort): Promise<HostPort>;
	/** Answers what was received, tells kept connections to go elsewhere, then closes. */
	close(): Promise<void>;
}

export function createApi(options: ApiOptions): Api {
	const { service, version, clock, random, logger, advertisedUrl = null } = options;
	const limits: ApiLimits = { ...defaultApiLimits, ...options.limits };
	const answer = createAnswerer(service.nodeId);
	const bodies = createBodyReader(limits);
	const streams = createStreams({ service, clock, random, limits });
	const app = createApp(limits);
	const flight = trackFlight(app, bodies);
	const reportUnexpected = (error: unknown): void =>
		logger.error(
			{ error: error instanceof Error ? error : new Error(String(error)) },
			"a request failed unexpectedly",
		);

	app.removeAllContentTypeParsers();
	app.addContentTypeParser("*", (_request, payload, done) => bodies.read(payload, done));
	refuseOverload(app, flight, limits);
	answerErrors(app, answer, reportUnexpected);
	registerClusterRoutes(app, { service, version, answer });
	registerDatabaseRoutes(app, {
		service,
		answer,
		limits,
		advertisedUrl,
		pipeline: { streams, clock, limits, reportUnexpected },
	});

	return {
		async listen({ host, port }) {
			await app.listen({ host, port, backlog: 1024 });
			const bound = app.server.address();
			if (bound === null || typeof bound === "string") throw new Error("the server listens on no port");
			return { host: bound.address, port: bound.port };
		},
		close: () => close({ app, answer, streams, flight, clock, limits, logger }),
	};
}

function noSchemas(): never {
	throw new Error("a route with a schema: give fastify a compiler for it");
}

function createApp(limits: ApiLimits): FastifyInstance {
	const app = fastify({
		logger: false,
		bodyLimit: limits.maxBodyBytes,
		keepAliveTimeout: limits.keepAliveMs,
		requestTimeout: limits.receiveTimeoutMs,
		http: { headersTimeout: limits.headersTimeoutMs, connectionsCheckingInterval: 2_000 },
		routerOptions: { ignoreTrailingSlash: true },
		// No route has a schema: without these two, fastify loads a compiler of validators and one of serializers.
		schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
		clientErrorHandler: answerClientError,
		forceCloseConnections: true,
		// While it closes every connection has been told already; nothing is refused half-way.
		return503OnClosing: false,
		// A path that cannot be decoded comes before all routes and hooks, hence the bare response.
		frameworkErrors: (error, _request, reply) => {
			reply.hijack();
			reply.raw.writeHead(400, { "content-type": "application/json", "access-control-allow-origin": "*" });
			reply.raw.end(encodeError({ message: error.message, code: "BAD_REQUEST" }));
		},
	});
	return app;
}

interface Flight {
	/** Requests whose headers were received, and whose answer is not written yet. */
	count(): number;
}

function trackFlight(app: FastifyInstance, bodies: BodyReader): Flight {
	let count = 0;
	function onClose(this: ServerResponse): void {
		count--;
		bodies.release(this.req);
	}
	// On the server rather than in fastify's hooks: "close" comes exactly once, also when a client breaks off.
	// First, so that what the hooks see counts the request itself.
	app.server.prependListener("request", (_request, response) => {
		count++;
		response.once("close", onClose);
	});
	return { count: () => count };
}

/** Health checks are let through: an overloaded node is alive. */
const alwaysAnswered: ReadonlySet<string> = new Set(["/health", "/ready"]);

function refuseOverload(app: FastifyInstance, flight: Flight, limits: ApiLimits): void {
	app.addHook("onRequest", (request, _reply, done) => {
		if (flight.count() > limits.maxInFlight && !alwaysAnswered.has(request.url)) {
			done(
				new SkeinError(`${limits.maxInFlight} requests are in flight: try again later`, {
					code: "OVERLOADED",
				}),
			);
		} else done();
	});
}

function answerErrors(
	app: FastifyInstance,
	answer: Answerer,
	reportUnexpected: (error: unknown) => void,
): void {
	app.setErrorHandler((error, _request, reply) => {
		const isFramework = error instanceof Error && "statusCode" in error && Number(error.statusCode) < 500;
		if (isFramework) return answer.error(reply, badRequest(error.message));
		if (!(error instanceof SkeinError)) reportUnexpected(error);
		answer.error(reply, viewOf(error));
	});
	// Here rather than in fastify's handler for it, which comes after the body was read and parsed.
	app.addHook("onRequest", (request, reply, done) => {
		if (request.is404) answerNotFound(app, answer, request, reply);
		else done();
	});
}

function answerNotFound(
	app: FastifyInstance,
	answer: Answerer,
	request: FastifyRequest,
	reply: FastifyReply,
): void {
	if (request.method === "OPTIONS") return preflight(reply, answer);
	const path = request.url.split("?", 1)[0] ?? "";
	const allowed = (["GET", "POST"] as const).filter(
		(method) => method !== request.method && app.findRoute({ method, url: pattern(path) }) !== null,
	);
	if (allowed.length === 0) {
		answer.error(reply, { message: `there is nothing at ${path}; GET / lists the paths`, code: "NOT_FOUND" });
		return;
	}
	const message = `${path} answers ${allowed.join(" and ")}, not ${request.method}`;
	answer.error(reply, { message, code: "METHOD_NOT_ALLOWED" }, ["allow", allowed.join(", ")]);
}

/** The route's own text for a path: routes are looked up by pattern. */
function pattern(path: string): string {
	return path.replace(/^\/db\/[^/]+/, "/db/:database").replace(/(?<=.)\/$/, "");
}

/** Any page may call: who may do what is not decided by where a page came from. */
function preflight(reply: FastifyReply, answer: Answerer): void {
	answer.empty(reply, [
		"access-control-allow-methods",
		"GET, POST, DELETE, OPTIONS",
		"access-control-allow-headers",
		"authorization, content-type, idempotency-key, skein-ack, skein-consistency, skein-session",
		"access-control-max-age",
		"86400",
	]);
}

const pollMs = 10;

interface Closing {
	readonly app: FastifyInstance;
	readonly answer: Answerer;
	readonly streams: Streams;
	readonly flight: Flight;
	readonly clock: Clock;
	readonly limits: ApiLimits;
	readonly logger: Logger;
}

async function close({ app, answer, streams, flight, clock, limits, logger }: Closing): Promise<void> {
	if (!app.server.listening) return app.close();
	answer.drain();
	const pause = (): Promise<void> => new Promise((resolve) => void clock.setTimer(pollMs, resolve));
	// Not http's own close: that cuts idle connections at once, and with them requests that are on their way.
	let hasConnections = true;
	NetServer.prototype.close.call(app.server, () => {
		hasConnections = false;
	});
	const drained = clock.now() + limits.drainMs;
	while (hasConnections && clock.now() < drained) await pause();
	const answered = clock.now() + limits.requestTimeoutMs;
	while (flight.count() > 0 && clock.now() < answered) await pause();
	if (flight.count() > 0)
		logger.warn({ requests: flight.count() }, "stopping with requests that were not answered");
	await streams.closeAll();
	await app.close();
}
