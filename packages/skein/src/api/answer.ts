/**
 * Sending: every answer goes through here. It is written past fastify's own reply, which appends
 * `; charset=utf-8` to a JSON type: the libSQL clients compare the type for equality, and would
 * lose an error's message and code.
 */
import type { FastifyReply } from "fastify";
import type { Position } from "../consensus/types.ts";
import { acknowledgementText } from "../database/acknowledgement-text.ts";
import type { Answer } from "../node/service.ts";
import { formatToken } from "../node/session-token.ts";
import { type ErrorView, encodeError, isRetryable, statusOf } from "./errors.ts";

/** Of an answer that reflects data: what its headers say. */
export interface Reflected extends Pick<Answer, "stalenessMs" | "inSync" | "replayed" | "acknowledgement"> {
	/** Null: nothing was run. */
	readonly position: Position | null;
	/** What the session has seen now; null: nothing, and it came with nothing. */
	readonly session: Position | null;
}

export interface Answerer {
	json(reply: FastifyReply, body: string, reflected?: Reflected): void;
	text(reply: FastifyReply, body: string): void;
	/** `headers`: names and values in turn. */
	error(reply: FastifyReply, error: ErrorView, headers?: readonly string[]): void;
	empty(reply: FastifyReply, headers: readonly string[]): void;
	/** From now on every answer asks the client to close its connection. */
	drain(): void;
}

export function createAnswerer(nodeId: string): Answerer {
	const common = [
		"skein-node",
		nodeId,
		"access-control-allow-origin",
		"*",
		"access-control-expose-headers",
		"skein-session, skein-index, skein-staleness-ms, skein-in-sync, skein-ack, skein-node, skein-replayed, retry-after",
	];
	const commonJson = [...common, "content-type", "application/json"];
	let draining = false;

	function send(reply: FastifyReply, status: number, headers: string[], body: string): void {
		if (draining) headers.push("connection", "close");
		headers.push("content-length", String(Buffer.byteLength(body)));
		reply.hijack();
		reply.raw.writeHead(status, headers);
		reply.raw.end(body);
	}

	return {
		json(reply, body, reflected) {
			const headers = commonJson.slice();
			if (reflected !== undefined) addReflected(headers, reflected);
			send(reply, 200, headers, body);
		},
		text(reply, body) {
			send(reply, 200, [...common, "content-type", "text/plain; charset=utf-8"], body);
		},
		error(reply, error, headers = []) {
			const retry = isRetryable(error.code) ? ["retry-after", "1"] : [];
			send(reply, statusOf(error.code), [...commonJson, ...retry, ...headers], encodeError(error));
		},
		empty(reply, headers) {
			reply.hijack();
			reply.raw.writeHead(204, [...common, ...headers, ...(draining ? ["connection", "close"] : [])]);
			reply.raw.end();
		},
		drain() {
			draining = true;
		},
	};
}

function addReflected(
	headers: string[],
	{ position, session, stalenessMs, inSync, replayed, acknowledgement }: Reflected,
): void {
	if (session !== null) headers.push("skein-session", formatToken(session));
	if (position !== null) headers.push("skein-index", String(position.index));
	if (inSync !== null) headers.push("skein-in-sync", String(inSync));
	if (acknowledgement !== null) headers.push("skein-ack", acknowledgementText(acknowledgement));
	// Rounded up: it is a bound.
	if (stalenessMs !== null) headers.push("skein-staleness-ms", String(Math.ceil(stalenessMs)));
	if (replayed) headers.push("skein-replayed", "true");
}
