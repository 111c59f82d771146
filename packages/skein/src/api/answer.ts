/** Sending: every answer goes through here, so that each has the same headers and exactly `application/json`. */
import type { FastifyReply } from "fastify";
import type { Position } from "../consensus/types.ts";
import { type ErrorView, encodeError, isRetryable, statusOf } from "./errors.ts";

/** The libSQL clients compare the type for equality: with a charset they would lose message and code. */
const json = "application/json";

export interface Answerer {
	/** `position`: what the answer reflects, when it reflects data. */
	json(reply: FastifyReply, status: number, body: string, position: Position | null): void;
	text(reply: FastifyReply, body: string): void;
	error(reply: FastifyReply, error: ErrorView): void;
	empty(reply: FastifyReply): void;
	/** From now on every answer asks the client to close its connection. */
	drain(): void;
}

export function createAnswerer(nodeId: string): Answerer {
	let draining = false;

	function send(reply: FastifyReply, status: number, type: string, body: string): void {
		reply.code(status);
		reply.header("content-type", type);
		reply.header("skein-node", nodeId);
		reply.header("access-control-allow-origin", "*");
		reply.header("access-control-expose-headers", "skein-session, skein-node, skein-replayed, retry-after");
		if (draining) reply.header("connection", "close");
		// A promise-like of fastify's: it never rejects, and there is nothing to wait for.
		void reply.send(body);
	}

	return {
		json(reply, status, body, position) {
			if (position !== null) reply.header("skein-session", `${position.term}.${position.index}`);
			send(reply, status, json, body);
		},
		text(reply, body) {
			send(reply, 200, "text/plain; charset=utf-8", body);
		},
		error(reply, error) {
			if (isRetryable(error.code)) reply.header("retry-after", "1");
			send(reply, statusOf(error.code), json, encodeError(error));
		},
		empty(reply) {
			reply.header("access-control-allow-origin", "*");
			if (draining) reply.header("connection", "close");
			void reply.code(204).send();
		},
		drain() {
			draining = true;
		},
	};
}
