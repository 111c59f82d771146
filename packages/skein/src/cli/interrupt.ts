// SIGINT, SIGTERM and SIGHUP as one question: stop, or stop at once?

export interface StopSignals {
	/** Aborted at the first signal. */
	readonly asked: AbortSignal;
	/** Forget about signals: the next one has its default effect again. */
	release(): void;
}

/**
 * One Ctrl-C can arrive up to three times: from the terminal, from npm, and from the old Node that
 * started this one. They come within a few milliseconds; a person's second Ctrl-C does not.
 */
const sameKeystrokeMs = 250;

/** `insist` is called for each further Ctrl-C. */
export function listenForStop(insist: () => void): StopSignals {
	const asked = new AbortController();
	let lastInterrupt = Number.NEGATIVE_INFINITY;
	const onInterrupt = (): void => {
		const now = performance.now();
		const repeated = now - lastInterrupt < sameKeystrokeMs;
		lastInterrupt = now;
		if (repeated) return;
		if (asked.signal.aborted) insist();
		else asked.abort("SIGINT");
	};
	// Not abort itself: the listener gets the signal's name, and a second signal must not throw.
	const onTerminate = (signal: NodeJS.Signals): void => {
		if (!asked.signal.aborted) asked.abort(signal);
	};
	process.on("SIGINT", onInterrupt);
	process.on("SIGTERM", onTerminate);
	process.on("SIGHUP", onTerminate);
	return {
		asked: asked.signal,
		release() {
			process.removeListener("SIGINT", onInterrupt);
			process.removeListener("SIGTERM", onTerminate);
			process.removeListener("SIGHUP", onTerminate);
		},
	};
}
