/**
 * One client's stream: decides for each program whether it reads or writes, and where it runs, and
 * remembers between two programs whether a transaction is open and where.
 *
 * Reads run on a reader of this node once it has applied the leader's read index. Writes and write
 * transactions run on the leader. A deferred transaction is a read transaction here until it first
 * writes; then it moves to the leader, if the state it read is still the newest (as SQLite itself
 * does with BEGIN DEFERRED, which answers SQLITE_BUSY_SNAPSHOT otherwise).
 *
 * A program that leaves a transaction open may have to run in parts: see program-parts.ts.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { LogIndex, NodeId, Position } from "../consensus/types.ts";
import type { ReadTransaction } from "../database/database.ts";
import type { Description, Program, ProgramOutcome } from "../database/program.ts";
import { resultsTooLarge, sizeOfResults } from "../database/result-size.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Moment } from "./freshness.ts";
import type { Planner, ProgramPlan } from "./plan.ts";
import { cutShort, joined, partOf, refuseForeignCounters, withBegin } from "./program-parts.ts";
import type { ReadLevels } from "./read-levels.ts";
import type { Routing } from "./routing.ts";
import type { Answer, Consistency, RequestOptions, Stream } from "./service.ts";
import { afterFailure, laterOf } from "./session-token.ts";
import { NotSentError, withTransactionEnd } from "./write-errors.ts";

type Transaction =
	| {
			readonly type: "read";
			readonly snapshot: ReadTransaction;
			readonly asOf: Moment | null;
			/** BEGIN TRANSACTION READONLY: it never writes. */
			readonly readonly: boolean;
			idle: Deadline;
			/** The idle limit ended it; its client is told at its next request. */
			expired: boolean;
	  }
	| {
			readonly type: "write";
			readonly node: NodeId;
			/** By the transaction itself; no other can while it is open. */
			readonly schemaChanged: boolean;
	  };

interface WriteOptions {
	/** The node that holds the stream's open transaction. */
	readonly transactionAt: NodeId | null;
	/** What the read transaction saw that goes on as this write. */
	readonly snapshotIndex: LogIndex | null;
	readonly mayStayOpen: boolean;
}

export interface StreamOptions {
	readonly streamId: number;
	readonly routing: Routing;
	readonly levels: ReadLevels;
	readonly planner: Planner;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly transactionIdleMs: Milliseconds;
	readonly statementTimeoutMs: Milliseconds;
	readonly describe: (sql: string) => Promise<Description>;
	/** Of requests that do not say when they want to be answered. */
	/** Tells the node that may hold the stream's transaction (null: whoever leads) to roll it back. */
	readonly closeAt: (node: NodeId | null, streamId: number) => void;
	readonly onClosed: () => void;
}

export function createStream(options: StreamOptions): Stream {
	const { streamId, levels, routing, planner, clock, deadlines } = options;
	let transaction: Transaction | null = null;
	let foreignKeys = true;
	let closed = false;
	let busy = false;
	/** What this stream was answered: at the level session it is part of the session. */
	let seen: Position | null = null;

	async function run(program: Program, request: RequestOptions): Promise<Answer> {
		if (closed) throw new SkeinError("the stream is closed", { code: "STREAM_NOT_OPEN" });
		if (busy) throw new Error("two programs of one stream at a time");
		busy = true;
		try {
			const plan = planner.plan(program);
			const deadlineAt = clock.now() + request.timeoutMs;
			const { cuts } = transaction === null ? plan.outside : plan.inside;
			const answer =
				cuts.length === 0
					? await dispatch(program, plan, request, deadlineAt, false)
					: await runInParts(program, cuts, request, deadlineAt);
			seen = laterOf(seen, answer.position);
			return answer;
		} catch (error) {
			forgetLost(request, error);
			throw error;
		} finally {
			busy = false;
			if (closed) await release();
		}
	}

	async function runInParts(
		program: Program,
		cuts: readonly number[],
		request: RequestOptions,
		deadlineAt: MonotonicTime,
	): Promise<Answer> {
		refuseForeignCounters(program, cuts);
		let whole: Answer | null = null;
		let resultBytes = 0;
		for (const [number, from] of [0, ...cuts].entries()) {
			const until = cuts[number] ?? program.steps.length;
			const part = partOf(program, from, until, whole?.outcome ?? { results: [], errors: [] });
			try {
				if (closed) throw new SkeinError("the stream is closed", { code: "STREAM_NOT_OPEN" });
				if (resultBytes > maxJoinedBytes) {
					await release();
					throw resultsTooLargeTogether();
				}
				const options = { ...request, idempotencyKey: keyOfPart(request.idempotencyKey, number) };
				const more = until < program.steps.length;
				const answer: Answer = await dispatch(part, planner.plan(part), options, deadlineAt, more);
				seen = laterOf(seen, answer.position);
				whole = whole === null ? answer : joined(whole, answer);
				resultBytes += sizeOfResults(answer.outcome);
			} catch (error) {
				// Unknown of a part is unknown of the whole.
				const isHarmless = error instanceof SkeinError && error.outcome === "did-not-happen";
				if (whole === null || !isHarmless) throw error;
				return cutShort(whole, error, program.steps.length, foreignKeys);
			}
		}
		if (whole === null) throw new Error("a program without parts");
		return whole;
	}

	/** `more`: another part of the same program follows, and must find open what this one leaves open. */
	function dispatch(
		program: Program,
		plan: ProgramPlan,
		request: RequestOptions,
		deadlineAt: MonotonicTime,
		more: boolean,
	): Promise<Answer> {
		if (transaction?.type === "write")
			return write(program, plan, request, deadlineAt, {
				transactionAt: transaction.node,
				snapshotIndex: null,
				mayStayOpen: true,
			});
		if (transaction?.type === "read") {
			refuseExpired(transaction);
			if (transaction.readonly || plan.onlyReads) return readInTransaction(transaction, program);
			return upgrade(transaction, program, plan, request, deadlineAt);
		}
		if (plan.onlyReads && !plan.begins && foreignKeys)
			return levels.read(program, consistencyOf(request), deadlineAt);
		if (plan.begins && (plan.beginMode === "readonly" || (plan.beginMode === "deferred" && plan.onlyReads))) {
			return beginRead(program, plan, request, deadlineAt);
		}
		return write(program, plan, request, deadlineAt, {
			transactionAt: null,
			snapshotIndex: null,
			mayStayOpen: plan.mayStayOpen || (more && plan.begins),
		});
	}

	/** The stream's requests are of one session, also where the client does not carry a token from one to the next. */
	function consistencyOf({ consistency }: RequestOptions): Consistency {
		if (consistency.level !== "session" || seen === null) return consistency;
		return { level: "session", token: laterOf(consistency.token, seen) };
	}

	function forgetLost(request: RequestOptions, error: unknown): void {
		const consistency = consistencyOf(request);
		if (consistency.level === "session") seen = afterFailure(seen, consistency.token, error);
	}

	async function describe(sql: string, request: RequestOptions): Promise<Description> {
		if (closed) throw new SkeinError("the stream is closed", { code: "STREAM_NOT_OPEN" });
		if (busy) throw new Error("two requests of one stream at a time");
		busy = true;
		try {
			return await describeAs(transaction, sql, request, clock.now() + request.timeoutMs);
		} catch (error) {
			forgetLost(request, error);
			throw error;
		} finally {
			busy = false;
			if (closed) await release();
		}
	}

	/** A read of the schema, so it waits like one: a table that this client just made must be there. */
	async function describeAs(
		current: Transaction | null,
		sql: string,
		request: RequestOptions,
		deadlineAt: MonotonicTime,
	): Promise<Description> {
		switch (current?.type) {
			case undefined:
				await levels.reach(consistencyOf(request), deadlineAt);
				return await options.describe(sql);
			case "write":
				if (current.schemaChanged) throw describesOwnSchema();
				// Nobody changes the schema while it is open, so what is committed is what it sees.
				await levels.reach({ level: "linearizable" }, deadlineAt);
				return await options.describe(sql);
			case "read":
				return await describeInSnapshot(current, sql, deadlineAt);
			default: {
				const never: never = current;
				throw new Error(String(never));
			}
		}
	}

	async function describeInSnapshot(
		current: Extract<Transaction, { type: "read" }>,
		sql: string,
		deadlineAt: MonotonicTime,
	): Promise<Description> {
		refuseExpired(current);
		current.idle.cancel();
		try {
			return await current.snapshot.describe(sql, { timeoutMs: timeLeft(deadlineAt) });
		} catch (error) {
			// Its thread went with it; anything else is said of the statement.
			if (!(error instanceof SkeinError) || error.code !== "TIMEOUT") throw error;
			transaction = null;
			await current.snapshot.close();
			throw withTransactionEnd(error);
		} finally {
			if (transaction === current) limitIdle(current);
		}
	}

	function refuseExpired(current: Extract<Transaction, { type: "read" }>): void {
		if (!current.expired) return;
		transaction = null;
		throw idleTooLong();
	}

	async function beginRead(
		program: Program,
		plan: ProgramPlan,
		request: RequestOptions,
		deadlineAt: MonotonicTime,
	): Promise<Answer> {
		const { snapshot, asOf } = await levels.begin(consistencyOf(request), deadlineAt);
		const begun: Transaction = {
			type: "read",
			snapshot,
			asOf,
			readonly: plan.beginMode === "readonly",
			idle: deadlines.add(Number.POSITIVE_INFINITY, () => {}),
			expired: false,
		};
		transaction = begun;
		return await readInTransaction(begun, program);
	}

	async function readInTransaction(
		current: Extract<Transaction, { type: "read" }>,
		program: Program,
	): Promise<Answer> {
		current.idle.cancel();
		let outcome: ProgramOutcome;
		try {
			outcome = await current.snapshot.run(program, { timeoutMs: options.statementTimeoutMs });
		} catch (error) {
			transaction = null;
			await current.snapshot.close();
			throw withTransactionEnd(error);
		}
		if (outcome.autocommit) {
			transaction = null;
			await current.snapshot.close();
		} else {
			limitIdle(current);
		}
		const stalenessMs = levels.stalenessOf(current.asOf);
		const position = current.snapshot.applied;
		return { outcome, position, stalenessMs, inSync: null, replayed: false, acknowledgement: null };
	}

	function limitIdle(current: Extract<Transaction, { type: "read" }>): void {
		current.idle = deadlines.add(clock.now() + options.transactionIdleMs, () => {
			current.expired = true;
			void current.snapshot.close();
		});
	}

	/** A deferred transaction writes for the first time: begun anew on the leader, on the same state. */
	async function upgrade(
		current: Extract<Transaction, { type: "read" }>,
		program: Program,
		plan: ProgramPlan,
		request: RequestOptions,
		deadlineAt: MonotonicTime,
	): Promise<Answer> {
		current.idle.cancel();
		const snapshotIndex = current.snapshot.applied.index;
		let answer: Answer;
		try {
			answer = await write(withBegin(program), plan, request, deadlineAt, {
				transactionAt: null,
				snapshotIndex,
				mayStayOpen: true,
			});
		} catch (error) {
			if (isRefusedForNow(error) && !closed) {
				// It may be sent again, on the same state.
				transaction = current;
				limitIdle(current);
				throw error;
			}
			// Nobody else knows this snapshot, and it would hold a reader for ever.
			await current.snapshot.close();
			throw withTransactionEnd(error);
		}
		await current.snapshot.close();
		const { results, errors } = answer.outcome;
		return { ...answer, outcome: { ...answer.outcome, results: results.slice(1), errors: errors.slice(1) } };
	}

	async function write(
		program: Program,
		plan: ProgramPlan,
		request: RequestOptions,
		deadlineAt: MonotonicTime,
		{ transactionAt, snapshotIndex, mayStayOpen }: WriteOptions,
	): Promise<Answer> {
		const inTransaction = transactionAt !== null || snapshotIndex !== null;
		try {
			const answer = await routing.write({
				streamId,
				program,
				foreignKeys,
				interactive: mayStayOpen,
				transactionAt,
				snapshotIndex,
				// A part of an open transaction is not a request of its own: only what ends it could be.
				idempotencyKey: inTransaction || plan.mayStayOpen ? null : request.idempotencyKey,
				acknowledgement: request.acknowledgement,
				mayCommit: (inTransaction ? plan.inside : plan.outside).mayCommit,
				deadlineAt,
			});
			const schemaChanged =
				plan.changesSchema || (transaction?.type === "write" && transaction.schemaChanged);
			transaction = answer.outcome.autocommit ? null : { type: "write", node: answer.node, schemaChanged };
			foreignKeys = answer.outcome.foreignKeys;
			const { outcome, position, replayed } = answer;
			// What leaves a transaction open, or stands in one, waits for nobody.
			const acknowledgement = outcome.autocommit ? answer.acknowledgement : null;
			return { outcome, position, stalenessMs: null, inSync: null, replayed, acknowledgement };
		} catch (error) {
			if (transactionAt !== null && error instanceof NotSentError) throw error;
			// Whatever else went wrong with the request as a whole, its transaction cannot go on: after a
			// timeout nobody knows which of its statements ran.
			if (transaction?.type === "write") options.closeAt(transaction.node, streamId);
			else if (mayStayOpen) options.closeAt(null, streamId);
			transaction = null;
			throw transactionAt === null ? error : withTransactionEnd(error);
		}
	}

	function timeLeft(deadlineAt: MonotonicTime): Milliseconds {
		return Math.max(1, Math.min(options.statementTimeoutMs, deadlineAt - clock.now()));
	}

	async function release(): Promise<void> {
		const open = transaction;
		transaction = null;
		if (open?.type === "read") {
			open.idle.cancel();
			if (!open.expired) await open.snapshot.close();
		}
		if (open?.type === "write") options.closeAt(open.node, streamId);
	}

	return {
		run,
		describe,
		get autocommit() {
			return transaction === null;
		},
		get disposable() {
			return transaction === null && foreignKeys;
		},
		async close() {
			if (closed) return;
			closed = true;
			options.onClosed();
			if (!busy) await release();
		},
	};
}

function describesOwnSchema(): SkeinError {
	return new SkeinError(
		"this transaction changed the schema, which describe cannot see before it is committed: describe after COMMIT; executing a statement tells its columns too",
		{ code: "BAD_REQUEST" },
	);
}

function isRefusedForNow(error: unknown): boolean {
	return error instanceof SkeinError && error.code === "OVERLOADED" && error.outcome === "did-not-happen";
}

/** What the parts of one program may answer before the next is begun: each is bounded by itself. */
const maxJoinedBytes = 32 * 1024 * 1024;

function resultsTooLargeTogether(): SkeinError {
	const { code, message } = resultsTooLarge(maxJoinedBytes);
	return new SkeinError(message, { code });
}

function idleTooLong(): SkeinError {
	return new SkeinError("the read transaction was idle for too long and has ended: begin it again", {
		code: "TRANSACTION_TIMEOUT",
	});
}

/** A key of its own for each part that is a write of its own: sent again, the program is cut the same. */
function keyOfPart(key: string | null, part: number): string | null {
	// A client's own key is printable, so it cannot collide with these.
	return key === null || part === 0 ? key : `${key}\npart ${part}`;
}
