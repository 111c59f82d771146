/** Request bodies: read with a bound on each and on all together, then parsed as JSON. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { SkeinError } from "../../../client/src/errors.ts";
import { badRequest } from "./errors.ts";
import { createJsonValueCount } from "./json-values.ts";
import type { ApiLimits } from "./limits.ts";

export interface BodyReader {
	/** Calls back exactly once, with what JSON.parse made of the body. */
	read(request: IncomingMessage, done: (error: Error | null, body?: unknown) => void): void;
	/** The request was answered: its body no longer counts. */
	release(request: IncomingMessage): void;
}

/** curl -d says x-www-form-urlencoded and fetch says text/plain when nobody told them what they send. */
const acceptedTypes = /^(application\/(json|x-www-form-urlencoded)|text\/plain)\s*(;|$)/i;

export function createBodyReader(limits: ApiLimits): BodyReader {
	const sizes = new WeakMap<IncomingMessage, number>();
	let bufferedBytes = 0;

	function collect(request: IncomingMessage, done: (error: Error | null, body?: unknown) => void): void {
		const chunks: Buffer[] = [];
		let sizeBytes = 0;
		let isDone = false;
		const values = createJsonValueCount();
		/** Chunks whose values are counted. */
		let counted = 0;

		function hasTooManyValues(): boolean {
			// Every value has a byte at least, so most bodies need not be looked at.
			if (sizeBytes <= limits.maxJsonValues) return false;
			return chunks.slice(counted).some((chunk) => {
				counted++;
				return values.add(chunk) > limits.maxJsonValues;
			});
		}

		function finish(error: Error | null, body?: unknown): void {
			if (isDone) return;
			isDone = true;
			// What is still on its way is read and dropped: a client that sends cannot read our answer.
			if (error !== null) request.resume();
			done(error, body);
		}

		request.on("data", (chunk: Buffer) => {
			if (isDone) return;
			sizeBytes += chunk.length;
			bufferedBytes += chunk.length;
			sizes.set(request, sizeBytes);
			if (sizeBytes > limits.maxBodyBytes) finish(tooLarge(limits));
			else if (bufferedBytes > limits.maxBufferedBytes) finish(overloaded());
			else {
				chunks.push(chunk);
				if (hasTooManyValues()) finish(tooManyValues(limits));
			}
		});
		request.on("end", () => {
			if (isDone) return;
			const [first] = chunks;
			const bytes = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
			try {
				finish(null, parse(bytes));
			} catch (error) {
				finish(error instanceof Error ? error : new Error(String(error)));
			}
		});
		// Nobody is left to read this answer; it only must not look like a fault of ours.
		request.on("error", () => finish(badRequest("the request broke off")));
	}

	return {
		read(request, done) {
			const refusal = unsupported(request) ?? announcedTooLarge(request, limits);
			if (refusal === null) return collect(request, done);
			request.resume();
			done(refusal);
		},
		release(request) {
			bufferedBytes -= sizes.get(request) ?? 0;
			sizes.delete(request);
		},
	};
}

function unsupported({ headers }: IncomingMessage): SkeinError | null {
	const { "content-type": type, "content-encoding": encoding } = headers;
	const message =
		type !== undefined && !acceptedTypes.test(type)
			? `the body must be application/json, not ${type}`
			: encoding !== undefined && !/^(identity)?$/i.test(encoding.trim())
				? `the body must be sent as it is: Content-Encoding ${encoding} is not supported`
				: null;
	return message === null ? null : new SkeinError(message, { code: "UNSUPPORTED_MEDIA_TYPE" });
}

function announcedTooLarge({ headers }: IncomingMessage, limits: ApiLimits): SkeinError | null {
	return Number(headers["content-length"] ?? 0) > limits.maxBodyBytes ? tooLarge(limits) : null;
}

function parse(bytes: Buffer): unknown {
	if (bytes.length === 0) return undefined;
	// Otherwise broken bytes would be stored as U+FFFD without a word.
	if (!isUtf8(bytes)) throw badRequest("the body is not valid UTF-8");
	try {
		return JSON.parse(bytes.toString("utf8"));
	} catch (error) {
		throw badRequest(`the body is not valid JSON: ${error instanceof Error ? error.message : String(error)}`);
	}
}

function tooLarge(limits: ApiLimits): SkeinError {
	return new SkeinError(`a request's body can have ${limits.maxBodyBytes} bytes`, {
		code: "PAYLOAD_TOO_LARGE",
	});
}

function tooManyValues(limits: ApiLimits): SkeinError {
	return new SkeinError(
		`a request's body can have ${limits.maxJsonValues} JSON values: send it in several requests`,
		{ code: "PAYLOAD_TOO_LARGE" },
	);
}

function overloaded(): SkeinError {
	return new SkeinError("too many bytes of requests are in flight: try again later", { code: "OVERLOADED" });
}
