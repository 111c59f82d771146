/**
 * From attempts to requests: what was tried several times under one idempotency key is one operation,
 * which began with its first attempt that may have happened and ended with the first that was
 * answered. Attempts that certainly did not happen say nothing, so they do not widen it.
 *
 * Promised: a request is ok if one of its attempts is, else unknown if one is, else failed. Not
 * checked here: that the answers of several attempts agree (once.ts does).
 */
import type { History, Operation } from "./history.ts";

/** Requests, in the order in which they were invoked; an operation without a key is a request of its own. */
export function requestsOf(history: History): Operation[] {
	const requests: Operation[] = [];
	for (const attempts of attemptsByKey(history).values()) {
		const [only] = attempts;
		requests.push(only !== undefined && attempts.length === 1 ? only : joined(attempts));
	}
	for (const operation of history.operations) {
		if (operation.idempotencyKey === null) requests.push(operation);
	}
	return requests.sort((one, other) => one.invokedOrder - other.invokedOrder);
}

/** In the order in which they were invoked. */
export function attemptsByKey(history: History): Map<string, Operation[]> {
	const byKey = new Map<string, Operation[]>();
	for (const operation of history.operations) {
		const { idempotencyKey } = operation;
		if (idempotencyKey === null) continue;
		const attempts = byKey.get(idempotencyKey);
		if (attempts === undefined) byKey.set(idempotencyKey, [operation]);
		else attempts.push(operation);
	}
	return byKey;
}

/** Whether a request is lost: one of its attempts is among these ids. */
export function lostAmong(
	history: History,
	lost: ReadonlySet<number> = new Set(),
): (request: Operation) => boolean {
	const keys = new Set<string | null>();
	for (const id of lost) keys.add(history.operations[id]?.idempotencyKey ?? null);
	keys.delete(null);
	return ({ id, idempotencyKey }) => lost.has(id) || keys.has(idempotencyKey);
}

function joined(attempts: readonly Operation[]): Operation {
	const [first] = attempts;
	if (first === undefined) throw new Error("a request without an attempt");
	for (const { steps, idempotencyKey } of attempts) {
		if (steps === first.steps) continue;
		if (JSON.stringify(steps) !== JSON.stringify(first.steps)) {
			throw new Error(`two different requests have the idempotency key ${idempotencyKey}`);
		}
	}
	const began = attempts.find(({ outcome }) => outcome !== "failed") ?? first;
	const answered = attempts
		.filter(({ outcome }) => outcome === "ok")
		.sort((one, other) => one.completedOrder - other.completedOrder)[0];
	const ended = answered ?? (began.outcome === "unknown" ? began : first);
	return {
		...ended,
		id: began.id,
		attempt: 1,
		invokedAt: began.invokedAt,
		invokedOrder: began.invokedOrder,
		completedAt: ended.outcome === "unknown" ? null : ended.completedAt,
		completedOrder: ended.outcome === "unknown" ? Number.POSITIVE_INFINITY : ended.completedOrder,
	};
}
