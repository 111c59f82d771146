/**
 * One client's stream: decides for each program whether it reads or writes, and where it runs, and
 * remembers between two programs whether a transaction is open and where.
 *
 * Reads run on a reader of this node once it has applied the leader's read index. Writes and write
 * transactions run on the leader. A deferred transaction is a read transaction here until it first
 * writes; then it moves to the leader, if the state it read is still the newest (as SQLite itself
 * does with BEGIN DEFERRED, which answers SQLITE_BUSY_SNAPSHOT otherwise).
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { NodeId } from "../consensus/types.ts";
import type { Database, ReadTransaction } from "../database/database.ts";
import type { Condition, Program, ProgramOutcome, Step } from "../database/program.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { AppliedIndex } from "./applied-index.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { Planner, ProgramPlan } from "./plan.ts";
import type { ReadIndex } from "./read-index.ts";
import type { Routing } from "./routing.ts";
import type { Answer, RequestOptions, Stream } from "./service.ts";

type Transaction =
	| {
			readonly type: "read";
			readonly snapshot: ReadTransaction;
			/** BEGIN TRANSACTION READONLY: it never writes. */
			readonly readonly: boolean;
			idle: Deadline;
			/** The idle limit ended it; its client is told at its next request. */
			expired: boolean;
	  }
	| { readonly type: "write"; readonly node: NodeId };

export interface StreamOptions {
	readonly streamId: number;
	readonly database: Database;
	readonly routing: Routing;
	readonly readIndex: ReadIndex;
	readonly applied: AppliedIndex;
	readonly planner: Planner;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly transactionIdleMs: Milliseconds;
	readonly statementTimeoutMs: Milliseconds;
	/** Tells the node that may hold the stream's transaction (null: whoever leads) to roll it back. */
	readonly closeAt: (node: NodeId | null, streamId: number) => void;
	readonly onClosed: () => void;
}

export function createStream(options: StreamOptions): Stream {
	const { streamId, database, routing, applied, planner, clock, deadlines } = options;
	let transaction: Transaction | null = null;
	let foreignKeys = true;
	let closed = false;
	let busy = false;

	async function run(program: Program, request: RequestOptions): Promise<Answer> {
		if (closed) throw new SkeinError("the stream is closed", { code: "STREAM_NOT_OPEN" });
		if (busy) throw new Error("two programs of one stream at a time");
		busy = true;
		try {
			return await dispatch(program, planner.plan(program), request);
		} finally {
			busy = false;
			if (closed) await release();
		}
	}

	function dispatch(program: Program, plan: ProgramPlan, request: RequestOptions): Promise<Answer> {
		const deadlineAt = clock.now() + request.timeoutMs;
		if (transaction?.type === "write")
			return write(program, plan, request, deadlineAt, { node: transaction.node });
		if (transaction?.type === "read") {
			if (transaction.expired) {
				transaction = null;
				throw idleTooLong();
			}
			if (transaction.readonly || plan.onlyReads) return readInTransaction(transaction, program);
			return upgrade(transaction, program, plan, request, deadlineAt);
		}
		if (plan.onlyReads && !plan.begins && foreignKeys) return read(program, request, deadlineAt);
		if (plan.begins && (plan.beginMode === "readonly" || (plan.beginMode === "deferred" && plan.onlyReads))) {
			return beginRead(program, plan, request, deadlineAt);
		}
		return write(program, plan, request, deadlineAt, null);
	}

	async function waitFor(request: RequestOptions, deadlineAt: MonotonicTime): Promise<void> {
		if (request.consistency.level === "eventual") return;
		const index = await options.readIndex.ask(deadlineAt);
		if (index <= applied.position.index) return;
		await new Promise<void>((resolve, reject) => {
			const cancel = applied.whenReached(index, () => {
				deadline.cancel();
				resolve();
			});
			const deadline = deadlines.add(deadlineAt, () => {
				cancel();
				reject(new SkeinError("this node has not applied the newest writes in time", { code: "TIMEOUT" }));
			});
		});
	}

	async function read(program: Program, request: RequestOptions, deadlineAt: MonotonicTime): Promise<Answer> {
		await waitFor(request, deadlineAt);
		const position = applied.position;
		const outcome = await database.read(program, { timeoutMs: timeLeft(deadlineAt) });
		return { outcome, position, replayed: false };
	}

	async function beginRead(
		program: Program,
		plan: ProgramPlan,
		request: RequestOptions,
		deadlineAt: MonotonicTime,
	): Promise<Answer> {
		await waitFor(request, deadlineAt);
		const snapshot = await database.beginRead({ timeoutMs: timeLeft(deadlineAt) });
		const begun: Transaction = {
			type: "read",
			snapshot,
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
			throw error;
		}
		if (outcome.autocommit) {
			transaction = null;
			await current.snapshot.close();
		} else {
			current.idle = deadlines.add(clock.now() + options.transactionIdleMs, () => {
				current.expired = true;
				void current.snapshot.close();
			});
		}
		return { outcome, position: current.snapshot.applied, replayed: false };
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
			answer = await write(withBegin(program), { ...plan, mayStayOpen: true }, request, deadlineAt, {
				snapshotIndex,
			});
		} finally {
			// Also when the leader refused: nobody else knows this snapshot, and it would hold a reader for ever.
			await current.snapshot.close();
		}
		const { results, errors } = answer.outcome;
		return { ...answer, outcome: { ...answer.outcome, results: results.slice(1), errors: errors.slice(1) } };
	}

	async function write(
		program: Program,
		plan: ProgramPlan,
		request: RequestOptions,
		deadlineAt: MonotonicTime,
		from: { readonly node: NodeId } | { readonly snapshotIndex: number } | null,
	): Promise<Answer> {
		const inTransaction = from !== null && "node" in from;
		try {
			const answer = await routing.write({
				streamId,
				program,
				foreignKeys,
				interactive: plan.mayStayOpen || inTransaction,
				transactionAt: inTransaction ? from.node : null,
				snapshotIndex: from !== null && "snapshotIndex" in from ? from.snapshotIndex : null,
				// A part of an open transaction is not a request of its own: only what ends it could be.
				idempotencyKey: inTransaction || plan.mayStayOpen ? null : request.idempotencyKey,
				mayCommit: !(inTransaction || plan.mayStayOpen) || plan.ends,
				deadlineAt,
			});
			transaction = answer.outcome.autocommit ? null : { type: "write", node: answer.node };
			foreignKeys = answer.outcome.foreignKeys;
			return { outcome: answer.outcome, position: answer.position, replayed: answer.replayed };
		} catch (error) {
			// Whatever went wrong with the request as a whole, its transaction cannot go on: after a
			// timeout nobody knows which of its statements ran.
			if (transaction?.type === "write") options.closeAt(transaction.node, streamId);
			else if (plan.mayStayOpen) options.closeAt(null, streamId);
			transaction = null;
			throw error;
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
		describe: (sql) => database.describe(sql),
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

/** The program with a BEGIN before it: every step moves by one, and so do the conditions that name steps. */
function withBegin(program: Program): Program {
	const begin: Step = {
		condition: null,
		statement: { sql: "BEGIN IMMEDIATE", arguments: [], namedArguments: [], wantRows: false },
	};
	return {
		steps: [
			begin,
			...program.steps.map((step) => ({
				...step,
				condition: step.condition === null ? null : shifted(step.condition),
			})),
		],
	};
}

function shifted(condition: Condition): Condition {
	switch (condition.type) {
		case "ok":
		case "error":
			return { type: condition.type, step: condition.step + 1 };
		case "not":
			return { type: "not", condition: shifted(condition.condition) };
		case "and":
		case "or":
			return { type: condition.type, conditions: condition.conditions.map(shifted) };
		case "is-autocommit":
			return condition;
	}
}

function idleTooLong(): SkeinError {
	return new SkeinError("the read transaction was idle for too long and has ended: begin it again", {
		code: "TRANSACTION_TIMEOUT",
	});
}
