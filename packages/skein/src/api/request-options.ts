/** Skein's request headers to the options of a request. What is not built yet is an error, never silently less. */
import type { IncomingHttpHeaders } from "node:http";
import type { Consistency, RequestOptions } from "../node/service.ts";
import { badRequest } from "./errors.ts";

const linearizable: Consistency = { level: "linearizable" };
const eventual: Consistency = { level: "eventual" };

export function requestOptions(headers: IncomingHttpHeaders, timeoutMs: number): RequestOptions {
	checkAcknowledgement(headers["skein-ack"]);
	return {
		consistency: consistency(headers["skein-consistency"]),
		idempotencyKey: idempotencyKey(headers["idempotency-key"]),
		timeoutMs,
	};
}

function consistency(header: string | string[] | undefined): Consistency {
	if (header === undefined || header === "linearizable") return linearizable;
	if (header === "eventual") return eventual;
	const text = String(header);
	if (/^(session|bounded)\b/.test(text)) {
		throw badRequest(`Skein-Consistency: ${text} is not there yet; use linearizable or eventual`);
	}
	throw badRequest(`Skein-Consistency must be linearizable or eventual, not ${JSON.stringify(text)}`);
}

function checkAcknowledgement(header: string | string[] | undefined): void {
	if (header === undefined || header === "quorum") return;
	const text = String(header);
	if (/^(async|semi-sync|sync|chain)\b/.test(text)) {
		throw badRequest(`Skein-Ack: ${text} is not there yet; use quorum`);
	}
	throw badRequest(`Skein-Ack must be quorum, not ${JSON.stringify(text)}`);
}

function idempotencyKey(header: string | string[] | undefined): string | null {
	if (header === undefined) return null;
	if (typeof header !== "string" || !/^[\x20-\x7e]{1,255}$/.test(header)) {
		throw badRequest("Idempotency-Key must be 1 to 255 printable ASCII characters");
	}
	return header;
}
