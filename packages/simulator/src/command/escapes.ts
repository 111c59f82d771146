/**
 * Errors that nobody handles, on Node: rejections, and what is thrown outside of any promise. They are the run's that
 * is under way. It ends with them as with any crash, so its seed and its last events are told.
 */
import type { Escapes } from "../run/simulate.ts";

/** A run that has not ended by then waits for what will never be: its thread ends with the error. */
const graceMs = 10_000;

export interface ProcessEscapes extends Escapes {
	/** Nothing is listened to any more. */
	close(): void;
}

export function listenToEscapes(): ProcessEscapes {
	let onEscape: ((error: unknown) => void) | null = null;
	let runs = 0;

	function onError(error: unknown): void {
		const run = runs;
		if (onEscape === null) throw error;
		onEscape(error);
		setTimeout(() => {
			if (run !== runs) return;
			process.off("uncaughtException", onError);
			throw error;
		}, graceMs).unref();
	}

	process.on("unhandledRejection", onError);
	process.on("uncaughtException", onError);
	return {
		hear(next) {
			runs++;
			onEscape = next;
		},
		async caughtUp() {
			// Node looks for rejections that nobody handles when it has no ticks and promise callbacks left.
			await new Promise((resolve) => setImmediate(resolve));
		},
		close() {
			process.off("unhandledRejection", onError);
			process.off("uncaughtException", onError);
		},
	};
}
