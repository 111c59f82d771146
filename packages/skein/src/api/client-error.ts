/** What cannot be read as HTTP, or is too slow, is answered on the bare socket, in the same shape as all errors. */
import { maxHeaderSize } from "node:http";
import type { Socket } from "node:net";
import { encodeError } from "./errors.ts";

export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
	if (error.code === "ECONNRESET" || socket.destroyed) return;
	const [status, message] =
		error.code === "HPE_HEADER_OVERFLOW"
			? ["431 Request Header Fields Too Large", `the headers can have ${maxHeaderSize} bytes`]
			: error.code === "ERR_HTTP_REQUEST_TIMEOUT"
				? ["408 Request Timeout", "the request was sent too slowly"]
				: ["400 Bad Request", "this is not HTTP"];
	const body = encodeError({ message, code: "BAD_REQUEST" });
	if (socket.writable) {
		socket.write(
			`HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
		);
	}
	socket.destroySoon();
}
