/**
 * Sessions: a read never shows less than an earlier operation of its session showed or wrote
 * (read-your-writes and monotonic reads; the state, not only the register), and its answer's token is
 * not smaller than what it was asked with.
 *
 * Promised: what is reported is broken. Looked at are reads at the level session, and reads of stronger
 * operations in a session; earlier ones count from their completion on, if they are ok. Without a
 * timeline only writes that did not overlap are told apart (versions.ts). Not checked: reads at the
 * levels bounded and eventual, which promise nothing to a session; what follows a lost write.
 */
import { lostAmong, requestsOf } from "./attempts.ts";
import type { Timeline } from "./effects.ts";
import type { History, Key, Operation } from "./history.ts";
import { knowledgeOf, noFloor, sightingsOf, type Versions, versionsOf } from "./versions.ts";
import type { Violation } from "./violation.ts";

export interface SessionOptions {
	readonly timeline?: Timeline | null;
	/** Ids of operations that were acknowledged, lost and reported as lost. */
	readonly lost?: ReadonlySet<number>;
}

interface Session {
	/** Operations that are completed and not yet counted; the earliest completed last. */
	readonly ended: Operation[];
	token: { readonly index: number; readonly by: number };
	readonly known: Map<Key, { readonly floor: number; readonly by: number }>;
}

export function checkSessions(history: History, options: SessionOptions = {}): Violation[] {
	const versions = versionsOf(history, options.timeline, options.lost);
	const isLost = lostAmong(history, options.lost);
	const sessions = new Map<string, Operation[]>();
	for (const operation of requestsOf(history)) {
		if (operation.session === null || operation.outcome !== "ok") continue;
		const operations = sessions.get(operation.session);
		if (operations === undefined) sessions.set(operation.session, [operation]);
		else operations.push(operation);
	}
	const violations: Violation[] = [];
	for (const operations of sessions.values()) {
		const ended = operations
			.filter((operation) => !isLost(operation))
			.sort((one, other) => other.completedOrder - one.completedOrder);
		const session: Session = { ended, token: { index: 0, by: -1 }, known: new Map() };
		for (const operation of operations) {
			for (let last = ended.at(-1); last !== undefined; last = ended.at(-1)) {
				if (last.completedOrder > operation.invokedOrder) break;
				ended.pop();
				remember(session, last, versions);
			}
			const level = operation.level?.level;
			if (level === "bounded" || level === "eventual") continue;
			violations.push(...judge(session, operation, versions));
		}
	}
	return violations;
}

function remember(session: Session, operation: Operation, versions: Versions): void {
	const index = operation.position?.index ?? 0;
	if (index > session.token.index) session.token = { index, by: operation.id };
	for (const { key, value } of knowledgeOf(operation)) {
		const floor = versions.span(key, value)?.from ?? noFloor;
		if (floor > (session.known.get(key)?.floor ?? noFloor))
			session.known.set(key, { floor, by: operation.id });
	}
}

function judge(session: Session, operation: Operation, versions: Versions): Violation[] {
	const violations: Violation[] = [];
	const { id, position } = operation;
	const { token } = session;
	if (position !== null && position.index < token.index) {
		violations.push({
			reason: `operation ${id} answered with index ${position.index} in a session that had ${token.index} from operation ${token.by}`,
			operations: [token.by, id],
		});
	}
	for (const { key, value } of sightingsOf(operation)) {
		const span = versions.span(key, value);
		if (span === null) continue;
		const known = session.known.get(key);
		if (known !== undefined && span.to < known.floor) {
			violations.push({
				reason: `operation ${id} saw ${value} in ${key}, older than what operation ${known.by} of its session saw or wrote there`,
				operations: [known.by, id],
			});
		} else if (span.to < versions.floorAt(key, token.index)) {
			violations.push({
				reason: `operation ${id} saw ${value} in ${key}, which was replaced at or before index ${token.index} that its session has from operation ${token.by}`,
				operations: [token.by, id],
			});
		}
	}
	return violations;
}
