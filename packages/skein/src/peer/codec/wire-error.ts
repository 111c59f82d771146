/** The one error of the codec: bytes that are not a message, or a message that has no bytes. */

/** unknown-version, unknown-type: well-formed as far as can be told, but from software that speaks otherwise. */
export type WireErrorReason = "malformed" | "unknown-version" | "unknown-type" | "not-encodable";

export class WireError extends Error {
	readonly reason: WireErrorReason;

	constructor(reason: WireErrorReason, message: string) {
		super(message);
		this.name = "WireError";
		this.reason = reason;
	}
}

export function malformed(message: string): WireError {
	return new WireError("malformed", message);
}
