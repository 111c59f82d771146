/**
 * One client: one operation after the other on whatever member, tried again as clients do, and what it
 * heard of each noted in the history. It never writes a value twice.
 */

import type { Program, Statement } from "../../../skein/src/database/program.ts";
import type { Member } from "../cluster/member.ts";
import type { Key, ReadLevel, Step } from "../history/history.ts";
import type { OtherStatements } from "../machine/other-statements.ts";
import {
	programOf,
	readStatement,
	refusedStatement,
	statement,
	statementOf,
	valueIn,
} from "../machine/statements.ts";
import { type CallerOptions, createCaller } from "./caller.ts";
import type { Reply } from "./connection.ts";
import { leaveForeignKeys } from "./foreign-keys.ts";
import { sendThreeParts, sendTwoParts } from "./in-parts.ts";
import { completionOf, isGood, refusedCompletion, seenIn } from "./outcomes.ts";
import { type OperationKind, operationKinds } from "./settings.ts";
import { createTries } from "./tries.ts";

export interface Client {
	/** Begins no further operation; resolves when the last has ended. */
	stop(): Promise<void>;
	/** Operations that ended well. */
	readonly acknowledged: number;
	/**
	 * A visitor does this there, now, also where other clients are kept out; not if it is still busy. False: it is.
	 * `beforeCommit` is called when an interactive transaction is about to send its COMMIT.
	 */
	visit(member: Member, kind: OperationKind, beforeCommit?: () => void): boolean;
}

/** A visitor does nothing by itself, only what it is sent for (`visit`). */
export interface ClientOptions extends CallerOptions {
	/** SQL besides registers. */
	readonly others: OtherStatements | null;
}

/** How much SQL is sent besides registers. */
const otherShare = 0.15;
/** And how much of that is about foreign keys. */
const foreignKeysShare = 0.2;

/** A list is left for the next after about so many appends: it is read and written whole. */
const appendsInList = 30;

export function startClient(options: ClientOptions): Client {
	const { id, members, chance, tell, settings, others, onOutrage } = options;
	/** Of its own: runs without other SQL draw nothing for it. */
	const otherChance = chance.fork("other statements");
	const modeChance = chance.fork("modes");
	const partsChance = chance.fork("parts");
	const refusedChance = chance.fork("refused");
	let stopped = false;
	let values = 0;
	let keys = 0;
	const caller = createCaller(options);
	const { open, requestFor, send, invoke, complete, wait } = caller;
	const isStopped = (): boolean => stopped;
	const tries = createTries({ id, members, caller, chance, tell, settings, isStopped });
	const { underKey } = tries;
	let isBusy = false;
	let onCommit: (() => void) | null = null;
	let finished = options.isVisitor ? Promise.resolve() : loop();
	finished.catch(onOutrage);

	async function loop(): Promise<void> {
		while (!stopped) {
			await wait(chance.exponential(settings.thinkMs));
			if (stopped) return;
			if (settings.wanders) caller.home = chance.pick(members);
			if (others !== null && otherChance.happens(otherShare)) await other(others);
			await operation(drawKind());
		}
	}

	function drawKind(): OperationKind {
		const total = operationKinds.reduce((sum, kind) => sum + settings.weights[kind], 0);
		let place = chance.next() * total;
		for (const kind of operationKinds) {
			place -= settings.weights[kind];
			if (place < 0) return kind;
		}
		return "write";
	}

	function operation(kind: OperationKind): Promise<void> {
		const register = drawRegister();
		caller.session = chance.below(settings.sessions);
		tell({ type: "client", client: id, what: kind });
		switch (kind) {
			case "write":
				return write([{ kind: "write", key: register, value: newValue() }]);
			case "delete":
				return write([{ kind: "write", key: register, value: null }]);
			case "append":
				return write([{ kind: "append", key: drawList(), value: newValue() }]);
			case "compare-and-set":
				return compareAndSet(register);
			case "read-modify-write":
				return write([
					{ kind: "read", key: drawRegister() },
					{ kind: "write", key: register, value: newValue() },
				]);
			case "multi-write":
				return write([
					{ kind: "write", key: register, value: newValue() },
					{ kind: "append", key: drawList(), value: newValue() },
					{ kind: "write", key: drawRegister(), value: newValue() },
				]);
			case "read":
				return read([chance.happens(0.3) ? drawList() : register], { level: "linearizable" });
			case "multi-read":
				return read([register, drawRegister(), drawList()], { level: "linearizable" });
			case "eventual-read":
				return read([register, drawRegister()], { level: "eventual" });
			case "session-read":
				caller.home = chance.pick(members);
				return read([register, drawRegister(), drawList()], { level: "session" });
			case "bounded-read":
				caller.home = chance.pick(members);
				return read([register, drawRegister()], drawBound());
			case "interactive":
				return interactive("BEGIN IMMEDIATE");
			case "upgrade":
				return interactive("BEGIN");
			case "read-transaction":
				return readTransaction();
			case "refused":
				return refused(register);
			case "lost-race":
				// Nobody ever wrote what it expects.
				return write(
					[{ kind: "compare-and-set", key: register, expected: newValue(), value: newValue() }],
					null,
				);
			case "locked-read":
				return lockedRead(register);
			case "in-parts":
				return inParts(register);
			default: {
				const never: never = kind;
				throw new Error(String(never));
			}
		}
	}

	const drawRegister = (): Key => `r${chance.below(settings.keys)}`;
	/** Lists are few at a time, and grow. */
	const drawList = (): Key => `l${chance.below(2)}.${Math.floor(values / appendsInList)}`;

	function newValue(): string {
		const name = `${id}.${values++}`;
		if (settings.paddingLength === 0 || !chance.happens(0.1)) return name;
		return `${name}/${"x".repeat(chance.below(settings.paddingLength))}`;
	}

	const drawBound = (): ReadLevel => ({
		level: "bounded",
		maxStalenessMs: chance.pick(settings.boundsMs),
	});

	function drawLevel(): ReadLevel {
		const level = chance.pick(["linearizable", "session", "bounded", "eventual"] as const);
		return level === "bounded" ? drawBound() : { level };
	}

	/** Steps as one request, in a transaction if there are several; what a step finds is read before it. */
	function programFor(steps: readonly Step[]): Program {
		const statements = steps.flatMap((step) =>
			step.kind === "read" ? [readStatement(step.key)] : [readStatement(step.key), statementOf(step)],
		);
		const only = steps.length === 1 ? steps[0] : undefined;
		if (only?.kind === "write" && chance.happens(0.5)) return programOf([statementOf(only)]);
		if (others !== null && otherChance.happens(otherShare)) statements.push(others.harmless(otherChance));
		if (chance.happens(0.5)) return programOf(statements);
		return programOf([statement("BEGIN IMMEDIATE"), ...statements, statement("COMMIT")]);
	}

	const newIdempotencyKey = (): string => `${id}/${keys++}`;
	const drawIdempotencyKey = (): string | null =>
		chance.happens(settings.keyedShare) ? newIdempotencyKey() : null;

	async function write(steps: readonly Step[], idempotencyKey = drawIdempotencyKey()): Promise<void> {
		const program = programFor(steps);
		const mode = modeChance.pick(settings.modes);
		await underKey({
			idempotencyKey,
			async once({ member, attempt }) {
				const operationId = invoke(member, { steps, level: null, idempotencyKey, attempt, mode });
				const connection = open(member);
				const request = requestFor({ level: "linearizable" }, idempotencyKey, mode);
				const reply = await send(connection, program, request);
				complete(
					operationId,
					completionOf(reply, (outcome) => seenIn(steps, program, outcome)),
				);
				connection.close();
				return reply.type === "answer";
			},
		});
	}

	/** Reads, thinks, writes if nothing has changed since. */
	async function compareAndSet(key: Key): Promise<void> {
		const connection = open(caller.home);
		const reply = await send(
			connection,
			programOf([readStatement(key)]),
			requestFor({ level: "eventual" }, null),
		);
		connection.close();
		if (reply.type !== "answer") return;
		const expected = valueIn(reply.answer.outcome, 0) ?? null;
		await write([{ kind: "compare-and-set", key, expected, value: newValue() }]);
	}

	async function read(all: readonly Key[], level: ReadLevel): Promise<void> {
		const steps = [...new Set(all)].map((key): Step => ({ kind: "read", key }));
		const program = programOf(steps.map(statementOf));
		const operationId = invoke(caller.home, { steps, level, idempotencyKey: null, attempt: 1, mode: null });
		const connection = open(caller.home);
		const reply = await send(connection, program, requestFor(level, null));
		complete(
			operationId,
			completionOf(reply, (outcome) => seenIn(steps, program, outcome)),
		);
		connection.close();
	}

	/** Several requests in one transaction, which the client may also take back, or leave. */
	async function interactive(begin: "BEGIN" | "BEGIN IMMEDIATE"): Promise<void> {
		const connection = open(caller.home);
		const mode = modeChance.pick(settings.modes);
		const operationId = invoke(caller.home, {
			steps: [],
			level: null,
			idempotencyKey: null,
			attempt: 1,
			mode,
		});
		const step = async (statements: readonly Statement[], one: Step): Promise<Reply> => {
			const place = caller.step(operationId, one);
			const all = [...statements, readStatement(one.key)];
			if (one.kind !== "read") all.push(statementOf(one));
			const reply = await send(connection, programOf(all), requestFor({ level: "linearizable" }, null, mode));
			const found = reply.type === "answer" ? valueIn(reply.answer.outcome, statements.length) : undefined;
			if (found !== undefined) caller.saw(operationId, place, found);
			return reply;
		};
		let reply = await step([statement(begin)], { kind: "read", key: drawRegister() });
		const writes = chance.integer(1, 3);
		for (let number = 0; number < writes && isGood(reply); number++) {
			await wait(chance.exponential(settings.thinkMs));
			reply = await step([], { kind: "write", key: drawRegister(), value: newValue() });
		}
		if (isGood(reply) && chance.happens(0.8)) {
			await wait(chance.exponential(settings.thinkMs));
			onCommit?.();
			reply = await send(
				connection,
				programOf([statement("COMMIT")]),
				requestFor({ level: "linearizable" }, null, mode),
			);
			complete(operationId, completionOf(reply, null));
		} else {
			if (isGood(reply) && chance.happens(0.5)) {
				await send(connection, programOf([statement("ROLLBACK")]), requestFor({ level: "eventual" }, null));
			}
			// COMMIT was never sent.
			complete(operationId, { outcome: "failed" });
		}
		connection.close();
	}

	async function inParts(key: Key): Promise<void> {
		const mode = modeChance.pick(settings.modes);
		const idempotencyKey = chance.happens(0.5) ? newIdempotencyKey() : null;
		const alone: Step = { kind: "write", key, value: newValue() };
		const other = drawRegister();
		const inside = (): Step => ({ kind: "write", key: other, value: newValue() });
		const sendParts = partsChance.happens(0.5) ? sendThreeParts : sendTwoParts;
		await sendParts(caller, tries, { idempotencyKey, mode, alone, inside });
	}

	async function readTransaction(): Promise<void> {
		const level = drawLevel();
		const connection = open(caller.home);
		const operationId = invoke(caller.home, {
			steps: [],
			level,
			idempotencyKey: null,
			attempt: 1,
			mode: null,
		});
		let before = [statement(chance.pick(["BEGIN", "BEGIN TRANSACTION READONLY"]))];
		let reply: Reply = { type: "unreachable" };
		for (let number = 0; number < 3; number++) {
			const key = drawRegister();
			const place = caller.step(operationId, { kind: "read", key });
			reply = await send(connection, programOf([...before, readStatement(key)]), requestFor(level, null));
			if (reply.type !== "answer") break;
			const found = valueIn(reply.answer.outcome, before.length);
			if (found !== undefined) caller.saw(operationId, place, found);
			before = [];
			await wait(chance.exponential(settings.thinkMs));
		}
		complete(operationId, completionOf(reply, null));
		connection.close();
	}

	/**
	 * A request whose last statement fails: it must say so. Before it stands a read, which must be the latest though no
	 * log shows that its leader still led; or a write, which counts, so that the answer is kept for its key, error and all.
	 */
	async function refused(key: Key): Promise<void> {
		const step: Step = refusedChance.happens(0.5)
			? { kind: "write", key, value: newValue() }
			: { kind: "read", key };
		const idempotencyKey = chance.happens(0.3) ? newIdempotencyKey() : null;
		const mode = modeChance.pick(settings.modes);
		const program = programOf([statementOf(step), refusedStatement(key)]);
		await underKey({
			idempotencyKey,
			async once({ member, attempt }) {
				const operationId = invoke(member, { steps: [step], level: null, idempotencyKey, attempt, mode });
				const connection = open(member);
				const request = requestFor({ level: "linearizable" }, idempotencyKey, mode);
				const reply = await send(connection, program, request);
				if (reply.type === "answer" && (reply.answer.outcome.errors[1] ?? null) === null)
					onOutrage(new Error(`a statement that must fail did not, on ${member.id}`));
				complete(operationId, refusedCompletion(reply, step));
				connection.close();
				return reply.type === "answer";
			},
		});
	}

	/** Reads in the way of a write: whoever begins so wants the latest, and nobody to write meanwhile. */
	async function lockedRead(key: Key): Promise<void> {
		const steps: readonly Step[] = [{ kind: "read", key }];
		const mode = modeChance.pick(settings.modes);
		const operationId = invoke(caller.home, { steps, level: null, idempotencyKey: null, attempt: 1, mode });
		const connection = open(caller.home);
		const program = programOf([statement("BEGIN IMMEDIATE"), readStatement(key), statement("COMMIT")]);
		const reply = await send(connection, program, requestFor({ level: "linearizable" }, null, mode));
		complete(
			operationId,
			completionOf(reply, (outcome) => seenIn(steps, program, outcome)),
		);
		connection.close();
	}

	/** SQL of any kind, which may fail or not: only that all members hold the same after it is judged. */
	async function other(statements: OtherStatements): Promise<void> {
		if (otherChance.happens(foreignKeysShare)) {
			const mode = modeChance.pick(settings.modes);
			tell({ type: "client", client: id, what: "leaves foreign keys" });
			return await leaveForeignKeys({ caller, statements, mode, onOutrage });
		}
		const connection = open(caller.home);
		const idempotencyKey = otherChance.happens(settings.keyedShare) ? `${id}/other ${keys++}` : null;
		const request = requestFor({ level: "linearizable" }, idempotencyKey, modeChance.pick(settings.modes));
		await send(connection, programOf(statements.some(otherChance)), request);
		connection.close();
	}

	return {
		get acknowledged() {
			return caller.acknowledged;
		},
		visit(member, kind, beforeCommit) {
			if (isBusy || stopped || !options.isVisitor) return false;
			isBusy = true;
			onCommit = beforeCommit ?? null;
			caller.home = member;
			finished = operation(kind).finally(() => {
				isBusy = false;
			});
			finished.catch(onOutrage);
			return true;
		},
		async stop() {
			stopped = true;
			await finished;
		},
	};
}
