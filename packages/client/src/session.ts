// The session of a client: what its requests wrote and saw, so that later ones on any node see at least that.
import type { SkeinError } from "./errors.ts";

export interface Session {
	/** `term.index`; null: nothing yet. */
	readonly token: string | null;
	/** An answer brought this token. */
	saw(token: string | null): void;
	/** A request with this token failed. */
	failed(token: string | null, error: SkeinError): void;
}

export function createSession(): Session {
	let token: string | null = null;

	return {
		get token() {
			return token;
		},
		saw(next) {
			// Answers may overtake each other.
			if (next !== null && (token === null || indexOf(next) > indexOf(token))) token = next;
		},
		failed(sent, { extendedCode }) {
			// The cluster lost what was seen, or is another one. That is told once, by this error; then a session begins.
			if (extendedCode === "BAD_REQUEST_SESSION" && token === sent) token = null;
		},
	};
}

function indexOf(token: string): number {
	return Number(token.slice(token.indexOf(".") + 1));
}
