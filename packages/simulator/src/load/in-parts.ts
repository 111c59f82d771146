/**
 * Programs that the node cuts (node/program-parts.ts): what stands before a BEGIN counts by itself, whatever becomes of
 * the rest. Each part that is outside of an open transaction has a key of its own, made of the program's: tried again,
 * each happens once, also where an earlier try got through a part of them only.
 */
import type { Step } from "../history/history.ts";
import { programOf, readStatement, statement, statementOf, valueIn } from "../machine/statements.ts";
import type { Caller } from "./caller.ts";
import type { Reply } from "./connection.ts";
import { isGood, partOf } from "./outcomes.ts";
import type { AskedMode } from "./settings.ts";
import type { Tries, Try } from "./tries.ts";

export interface InParts {
	readonly idempotencyKey: string | null;
	readonly mode: AskedMode;
	readonly alone: Step;
	/** In a transaction. Made anew where a try makes another transaction of it. */
	readonly inside: () => Step;
}

const begin = statement("BEGIN IMMEDIATE");

/**
 * `INSERT; BEGIN …; COMMIT; BEGIN …`: three parts, of which two are requests of their own. The last transaction is left.
 */
export async function sendThreeParts(caller: Caller, tries: Tries, parts: InParts): Promise<void> {
	const { idempotencyKey, mode, alone } = parts;
	const inside = parts.inside();
	const isKeyed = idempotencyKey !== null;
	const transaction = [begin, readStatement(inside.key), statementOf(inside), statement("COMMIT")];
	const program = programOf([statementOf(alone), ...transaction, begin, readStatement(alone.key)]);
	await tries.underKey({
		idempotencyKey,
		mayRepeat: !caller.isEarly(mode),
		async once({ member, attempt }) {
			const call = { level: null, attempt, mode };
			const first = caller.invoke(member, { ...call, steps: [alone], idempotencyKey });
			const second = caller.invoke(member, {
				...call,
				steps: [inside],
				// As the node calls it in its reports.
				idempotencyKey: idempotencyKey === null ? null : `${idempotencyKey}\npart 1`,
			});
			const connection = caller.open(member);
			const request = caller.requestFor({ level: "linearizable" }, idempotencyKey, mode);
			const reply = await caller.send(connection, program, request);
			caller.complete(first, partOf(reply, { from: 0, until: 1, isKeyed }));
			const known = partOf(reply, { from: 1, until: 1 + transaction.length, isKeyed });
			const found = reply.type === "answer" ? valueIn(reply.answer.outcome, 2) : undefined;
			caller.complete(second, known.outcome === "ok" ? { ...known, seen: [found] } : known);
			connection.close();
			return isEnough(caller, mode, reply);
		},
	});
}

/** `INSERT; BEGIN …`, and COMMIT in a later program, together with the next BEGIN, whose transaction is left. */
export async function sendTwoParts(caller: Caller, tries: Tries, parts: InParts): Promise<void> {
	const { idempotencyKey, mode } = parts;
	await tries.underKey({
		idempotencyKey,
		mayRepeat: !caller.isEarly(mode),
		once: (one) => openAndCommit(caller, parts, one),
	});
}

async function openAndCommit(caller: Caller, parts: InParts, { member, attempt }: Try): Promise<boolean> {
	const { idempotencyKey, mode, alone } = parts;
	// The transaction has no key: each try makes another one.
	const inside = parts.inside();
	const call = { level: null, mode } as const;
	const first = caller.invoke(member, { ...call, steps: [alone], idempotencyKey, attempt });
	const second = caller.invoke(member, { ...call, steps: [], idempotencyKey: null, attempt: 1 });
	const place = caller.step(second, inside);
	const connection = caller.open(member);
	const request = caller.requestFor({ level: "linearizable" }, idempotencyKey, mode);
	const program = [statementOf(alone), begin, readStatement(inside.key), statementOf(inside)];
	const reply = await caller.send(connection, programOf(program), request);
	caller.complete(first, partOf(reply, { from: 0, until: 1, isKeyed: idempotencyKey !== null }));
	const found = reply.type === "answer" ? valueIn(reply.answer.outcome, 2) : undefined;
	if (found !== undefined) caller.saw(second, place, found);
	if (isGood(reply)) {
		const next = [statement("COMMIT"), begin, readStatement(alone.key)];
		const ended = await caller.send(connection, programOf(next), request);
		caller.complete(second, partOf(ended, { from: 0, until: 1, isKeyed: false }));
	} else caller.complete(second, { outcome: "failed" });
	connection.close();
	return isEnough(caller, mode, reply);
}

/**
 * What may be lost after its answer must not be sent again: it would happen twice, rightly, and as the answers to parts
 * have no position nobody could tell.
 */
function isEnough(caller: Caller, mode: AskedMode, reply: Reply): boolean {
	return reply.type === "answer" && (isGood(reply) || caller.isEarly(mode));
}
