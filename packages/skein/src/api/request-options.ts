/** Skein's request headers to the options of a request. What is not built yet is an error, never silently less. */
import type { IncomingHttpHeaders } from "node:http";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { Position } from "../consensus/types.ts";
import { acknowledgementForms, parseAcknowledgement } from "../database/acknowledgement-text.ts";
import { parseConsistency } from "../node/consistency.ts";
import type { Consistency, RequestOptions } from "../node/service.ts";
import { parseToken } from "../node/session-token.ts";
import { badRequest } from "./errors.ts";

const linearizable: Consistency = { level: "linearizable" };

export function requestOptions(headers: IncomingHttpHeaders, timeoutMs: number): RequestOptions {
	return {
		consistency: consistency(headers["skein-consistency"], sessionToken(headers["skein-session"])),
		idempotencyKey: idempotencyKey(headers["idempotency-key"]),
		acknowledgement: acknowledgement(headers["skein-ack"]),
		timeoutMs,
	};
}

/** The token that the request came with, where it counts: the answer's is not less. */
export function tokenOf({ consistency }: RequestOptions): Position | null {
	return consistency.level === "session" ? consistency.token : null;
}

function consistency(header: string | string[] | undefined, token: Position | null): Consistency {
	return header === undefined ? linearizable : parseConsistency(String(header), token);
}

/** Also where the level does not ask for it: a token that cannot be read is a mistake. */
function sessionToken(header: string | string[] | undefined): Position | null {
	return header === undefined ? null : parseToken(String(header));
}

/** Null: the node's default. */
function acknowledgement(header: string | string[] | undefined): Acknowledgement | null {
	if (header === undefined) return null;
	const text = String(header);
	const parsed = parseAcknowledgement(text);
	if (parsed === null)
		throw badRequest(`Skein-Ack must be ${acknowledgementForms}, not ${JSON.stringify(text)}`);
	return parsed;
}

function idempotencyKey(header: string | string[] | undefined): string | null {
	if (header === undefined) return null;
	if (typeof header !== "string" || !/^[\x20-\x7e]{1,255}$/.test(header)) {
		throw badRequest("Idempotency-Key must be 1 to 255 printable ASCII characters");
	}
	return header;
}
