/**
 * One client: one operation after the other on whatever member, tried again as clients do, and what it
 * heard of each noted in the history. It never writes a value twice.
 */

import type { SkeinError } from "../../../client/src/errors.ts";
import type { Acknowledgement } from "../../../skein/src/consensus/acknowledge/acknowledgement.ts";
import type { Position } from "../../../skein/src/consensus/types.ts";
import type { Program, ProgramOutcome, Statement } from "../../../skein/src/database/program.ts";
import type { Consistency, RequestOptions } from "../../../skein/src/node/service.ts";
import type { Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type {
	AcknowledgementMode,
	Completion,
	Key,
	ReadLevel,
	Recorder,
	Seen,
	Step,
} from "../history/history.ts";
import { mayLose } from "../history/history.ts";
import type { OtherStatements } from "../machine/other-statements.ts";
import {
	programOf,
	readStatement,
	refusedStatement,
	statement,
	statementOf,
	valueIn,
} from "../machine/statements.ts";
import type { Tell } from "../trace/event.ts";
import { type Connection, connect, type Reply } from "./connection.ts";
import { createSessionTokens } from "./session-tokens.ts";
import { type LoadSettings, type OperationKind, operationKinds } from "./settings.ts";

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

export interface ClientOptions {
	readonly id: string;
	readonly members: readonly Member[];
	/** That there can be, ever: what was a majority when a write began may be none when it is answered. */
	readonly mostVoters: number;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly recorder: Recorder;
	readonly tell: Tell;
	readonly settings: LoadSettings;
	/** It does nothing by itself, only what it is sent for (`visit`). */
	readonly isVisitor: boolean;
	/** SQL besides registers. */
	readonly others: OtherStatements | null;
	readonly onOutrage: (error: unknown) => void;
	/** It was said that no history has this token. That is right if what it names is lost. */
	readonly onRefusedToken: (token: Position) => void;
}

/** How many answered writes with a key are sent again, if attempts are left. */
const repeatedShare = 0.1;

/** How much SQL is sent besides registers. */
const otherShare = 0.15;

const unreachablePauseMs = 100;
/** A list is left for the next after about so many appends: it is read and written whole. */
const appendsInList = 30;

export function startClient(options: ClientOptions): Client {
	const { id, members, mostVoters, scheduler, chance, recorder, tell, settings, others, onOutrage } = options;
	/** Of its own: runs without other SQL draw nothing for it. */
	const otherChance = chance.fork("other statements");
	const repeatChance = chance.fork("repeats");
	const modeChance = chance.fork("modes");
	let stopped = false;
	let values = 0;
	let keys = 0;
	let acknowledged = 0;
	const sessions = createSessionTokens(id, settings.sessions);
	/** The session of the operation under way. */
	let session = 0;
	let home = chance.pick(members);
	let isBusy = false;
	let onCommit: (() => void) | null = null;
	let finished = options.isVisitor ? Promise.resolve() : loop();
	finished.catch(onOutrage);

	async function loop(): Promise<void> {
		while (!stopped) {
			await wait(chance.exponential(settings.thinkMs));
			if (stopped) return;
			if (settings.wanders) home = chance.pick(members);
			if (others !== null && otherChance.happens(otherShare)) await other(others);
			await operation(drawKind());
		}
	}

	function wait(delayMs: number): Promise<void> {
		return new Promise((resolve) => {
			scheduler.after(delayMs, resolve);
		});
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
		session = chance.below(settings.sessions);
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
				home = chance.pick(members);
				return read([register, drawRegister(), drawList()], { level: "session" });
			case "bounded-read":
				home = chance.pick(members);
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

	const drawRepeatMs = (): number =>
		Math.min(5_000, repeatChance.exponential(repeatChance.pick([100, 3_000])));

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

	const drawIdempotencyKey = (): string | null =>
		chance.happens(settings.keyedShare) ? `${id}/${keys++}` : null;

	async function write(steps: readonly Step[], idempotencyKey = drawIdempotencyKey()): Promise<void> {
		const program = programFor(steps);
		const mode = modeChance.pick(settings.modes);
		for (let attempt = 1; attempt <= settings.attempts; attempt++) {
			const member = attempt === 1 ? home : chance.pick(members);
			if (attempt > 1) tell({ type: "client", client: id, what: "tries again with its key" });
			const operationId = invoke(member, { steps, level: null, idempotencyKey, attempt, mode });
			const connection = open(member);
			const request = optionsFor({ level: "linearizable" }, idempotencyKey, mode);
			const reply = await send(connection, program, request);
			complete(
				operationId,
				completionOf(reply, (outcome) => seenIn(steps, program, outcome)),
			);
			connection.close();
			// Without a key the same values must not be sent again.
			if (idempotencyKey === null) return;
			if (reply.type !== "answer") await wait(chance.exponential(settings.thinkMs));
			// Its answer was lost behind the client, who asks for it once more, perhaps under another leader.
			else if (!stopped && repeatChance.happens(repeatedShare)) await wait(drawRepeatMs());
			else return;
		}
	}

	/** Reads, thinks, writes if nothing has changed since. */
	async function compareAndSet(key: Key): Promise<void> {
		const connection = open(home);
		const reply = await send(
			connection,
			programOf([readStatement(key)]),
			optionsFor({ level: "eventual" }, null),
		);
		connection.close();
		if (reply.type !== "answer") return;
		const expected = valueIn(reply.answer.outcome, 0) ?? null;
		await write([{ kind: "compare-and-set", key, expected, value: newValue() }]);
	}

	async function read(all: readonly Key[], level: ReadLevel): Promise<void> {
		const steps = [...new Set(all)].map((key): Step => ({ kind: "read", key }));
		const program = programOf(steps.map(statementOf));
		const operationId = invoke(home, { steps, level, idempotencyKey: null, attempt: 1, mode: null });
		const connection = open(home);
		const reply = await send(connection, program, optionsFor(level, null));
		complete(
			operationId,
			completionOf(reply, (outcome) => seenIn(steps, program, outcome)),
		);
		connection.close();
	}

	/** Several requests in one transaction, which the client may also take back, or leave. */
	async function interactive(begin: "BEGIN" | "BEGIN IMMEDIATE"): Promise<void> {
		const connection = open(home);
		const mode = modeChance.pick(settings.modes);
		const operationId = invoke(home, { steps: [], level: null, idempotencyKey: null, attempt: 1, mode });
		const step = async (statements: readonly Statement[], one: Step): Promise<Reply> => {
			const place = recorder.step(operationId, one);
			const all = [...statements, readStatement(one.key)];
			if (one.kind !== "read") all.push(statementOf(one));
			const reply = await send(connection, programOf(all), optionsFor({ level: "linearizable" }, null, mode));
			const found = reply.type === "answer" ? valueIn(reply.answer.outcome, statements.length) : undefined;
			if (found !== undefined) recorder.saw(operationId, place, found);
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
				optionsFor({ level: "linearizable" }, null, mode),
			);
			complete(operationId, completionOf(reply, null));
		} else {
			if (isGood(reply) && chance.happens(0.5)) {
				await send(connection, programOf([statement("ROLLBACK")]), optionsFor({ level: "eventual" }, null));
			}
			// COMMIT was never sent.
			complete(operationId, { outcome: "failed" });
		}
		connection.close();
	}

	/**
	 * What stands before a BEGIN counts by itself, whatever becomes of the rest: the node cuts such programs
	 * (node/program-parts.ts). Often under a key, which the parts outside of a transaction make their own.
	 */
	async function inParts(key: Key): Promise<void> {
		const mode = modeChance.pick(settings.modes);
		const requestKey = chance.happens(0.5) ? `${id}/${keys++}` : null;
		const request = optionsFor({ level: "linearizable" }, requestKey, mode);
		const alone: Step = { kind: "write", key, value: newValue() };
		const inside: Step = { kind: "write", key: drawRegister(), value: newValue() };
		const call = { level: null, idempotencyKey: null, attempt: 1, mode } as const;
		const first = invoke(home, { ...call, steps: [alone], idempotencyKey: requestKey });
		const second = invoke(home, { ...call, steps: [] });
		const place = recorder.step(second, inside);
		const connection = open(home);
		const begin = statement("BEGIN IMMEDIATE");
		const program = [statementOf(alone), begin, readStatement(inside.key), statementOf(inside)];
		const reply = await send(connection, programOf(program), request);
		complete(first, partOf(reply));
		const found = reply.type === "answer" ? valueIn(reply.answer.outcome, 2) : undefined;
		if (found !== undefined) recorder.saw(second, place, found);
		if (isGood(reply)) {
			// The next transaction, which is left, begins in the program that ends this one.
			const next = [statement("COMMIT"), begin, readStatement(key)];
			const ended = await send(connection, programOf(next), request);
			complete(second, partOf(ended));
		} else complete(second, { outcome: "failed" });
		connection.close();
	}

	async function readTransaction(): Promise<void> {
		const level = drawLevel();
		const connection = open(home);
		const operationId = invoke(home, { steps: [], level, idempotencyKey: null, attempt: 1, mode: null });
		let before = [statement(chance.pick(["BEGIN", "BEGIN TRANSACTION READONLY"]))];
		let reply: Reply = { type: "unreachable" };
		for (let number = 0; number < 3; number++) {
			const key = drawRegister();
			const place = recorder.step(operationId, { kind: "read", key });
			reply = await send(connection, programOf([...before, readStatement(key)]), optionsFor(level, null));
			if (reply.type !== "answer") break;
			const found = valueIn(reply.answer.outcome, before.length);
			if (found !== undefined) recorder.saw(operationId, place, found);
			before = [];
			await wait(chance.exponential(settings.thinkMs));
		}
		complete(operationId, completionOf(reply, null));
		connection.close();
	}

	/**
	 * A request whose last statement fails: it must say so, and leave nothing. It changes nothing, so that no
	 * log shows that its leader still led; what it read before must be the latest all the same.
	 */
	async function refused(key: Key): Promise<void> {
		const steps: readonly Step[] = [{ kind: "read", key }];
		const idempotencyKey = chance.happens(0.3) ? `${id}/${keys++}` : null;
		const mode = modeChance.pick(settings.modes);
		const operationId = invoke(home, { steps, level: null, idempotencyKey, attempt: 1, mode });
		const connection = open(home);
		const program = programOf([readStatement(key), refusedStatement(key)]);
		const request = optionsFor({ level: "linearizable" }, idempotencyKey, mode);
		const reply = await send(connection, program, request);
		if (reply.type === "answer") {
			const { outcome, position } = reply.answer;
			if (outcome.errors[1] === null)
				onOutrage(new Error(`a statement that must fail did not, on ${home.id}`));
			const hasRead = outcome.errors[0] === null;
			complete(operationId, { outcome: "ok", position, seen: [hasRead ? valueIn(outcome, 0) : undefined] });
		} else complete(operationId, completionOf(reply, null));
		connection.close();
	}

	/** Reads in the way of a write: whoever begins so wants the latest, and nobody to write meanwhile. */
	async function lockedRead(key: Key): Promise<void> {
		const steps: readonly Step[] = [{ kind: "read", key }];
		const mode = modeChance.pick(settings.modes);
		const operationId = invoke(home, { steps, level: null, idempotencyKey: null, attempt: 1, mode });
		const connection = open(home);
		const program = programOf([statement("BEGIN IMMEDIATE"), readStatement(key), statement("COMMIT")]);
		const reply = await send(connection, program, optionsFor({ level: "linearizable" }, null, mode));
		complete(
			operationId,
			completionOf(reply, (outcome) => seenIn(steps, program, outcome)),
		);
		connection.close();
	}

	/** SQL of any kind, which may fail or not: only that all members hold the same after it is judged. */
	async function other(statements: OtherStatements): Promise<void> {
		const connection = open(home);
		const idempotencyKey = otherChance.happens(settings.keyedShare) ? `${id}/other ${keys++}` : null;
		const request = optionsFor({ level: "linearizable" }, idempotencyKey, modeChance.pick(settings.modes));
		await send(connection, programOf(statements.some(otherChance)), request);
		connection.close();
	}

	function open(member: Member): Connection {
		const { delayMs } = settings;
		return connect({ member, scheduler, chance, delayMs, isLetIn: options.isVisitor, onOutrage });
	}

	function optionsFor(
		level: ReadLevel,
		idempotencyKey: string | null,
		acknowledgement: Acknowledgement | null = null,
	): RequestOptions {
		const consistency: Consistency =
			level.level === "session" ? { level: "session", token: sessions.token(session) } : level;
		return { consistency, idempotencyKey, acknowledgement, timeoutMs: settings.timeoutMs };
	}

	async function send(connection: Connection, program: Program, request: RequestOptions): Promise<Reply> {
		const gone = chance.happens(settings.goneShare);
		if (gone) tell({ type: "client", client: id, what: "goes away" });
		const patienceMs = gone ? chance.exponential(5) : settings.timeoutMs * settings.patience + 50;
		const reply = await connection.send(program, request, patienceMs);
		const mode = request.acknowledgement;
		const isEarly = mode !== null && mayLose(promiseOf(mode, mostVoters));
		if (reply.type === "answer") sessions.answered(session, reply.answer.position, isEarly);
		if (reply.type === "error" && reply.error.extendedCode === "BAD_REQUEST_SESSION")
			refusedToken(reply.error);
		if (reply.type !== "unreachable") return reply;
		if (chance.happens(settings.leavesShare)) home = chance.pick(members);
		// As clients do; also, asking nobody again and again tests nothing.
		await wait(chance.exponential(unreachablePauseMs));
		return reply;
	}

	function refusedToken(error: SkeinError): void {
		const token = sessions.refused(session);
		// No token is of elsewhere.
		if (token === null) return onOutrage(error);
		tell({ type: "client", client: id, what: "begins a session anew" });
		options.onRefusedToken(token);
	}

	function invoke(member: Member, { mode, ...call }: InvokedCall): number {
		const acknowledgement = mode === null ? null : promiseOf(mode, mostVoters);
		const operationId = recorder.invoke({
			client: id,
			session: sessions.name(session),
			acknowledgement,
			node: member.id,
			...call,
		});
		const what = call.steps.map(({ kind, key }) => `${kind} ${key}`).join(", ");
		tell({ type: "invoke", operation: operationId, client: id, node: member.id, what });
		return operationId;
	}

	function complete(operationId: number, completion: Completion): void {
		if (completion.outcome === "ok") acknowledged++;
		if (completion.replayed === true) tell({ type: "client", client: id, what: "hears an earlier answer" });
		if (completion.inSync === true) tell({ type: "client", client: id, what: "reads of an in-sync member" });
		recorder.complete(operationId, completion);
		const { outcome, code } = completion;
		tell({ type: "complete", operation: operationId, outcome, code: code ?? null });
	}

	return {
		get acknowledged() {
			return acknowledged;
		},
		visit(member, kind, beforeCommit) {
			if (isBusy || stopped || !options.isVisitor) return false;
			isBusy = true;
			onCommit = beforeCommit ?? null;
			home = member;
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

interface InvokedCall {
	readonly steps: readonly Step[];
	readonly level: ReadLevel | null;
	readonly idempotencyKey: string | null;
	readonly attempt: number;
	/** Of a write. */
	readonly mode: Acknowledgement | null;
}

/** What must hold of it: a leader and so many followers that they are a majority lose nothing. */
function promiseOf(mode: Acknowledgement, size: number): AcknowledgementMode {
	if (mode.mode !== "semi-sync") return mode.mode;
	return 2 * (1 + mode.followers) > size ? "quorum" : "semi-sync";
}

function isGood(reply: Reply): boolean {
	return reply.type === "answer" && reply.answer.outcome.errors.every((error) => error === null);
}

/** What was answered of one statement, as if it had been sent alone. */
function stepOf(reply: Reply, place: number): Reply {
	if (reply.type !== "answer") return reply;
	const { results, errors } = reply.answer.outcome;
	const outcome = {
		...reply.answer.outcome,
		results: results.slice(place, place + 1),
		errors: errors.slice(place, place + 1),
	};
	return { type: "answer", answer: { ...reply.answer, outcome } };
}

/** Of the first part of a program: position and origin of the answer are those of all its parts together. */
function partOf(reply: Reply): Completion {
	return { ...completionOf(stepOf(reply, 0), null), position: null, replayed: false };
}

function completionOf(reply: Reply, seen: ((outcome: ProgramOutcome) => Seen[]) | null): Completion {
	switch (reply.type) {
		case "answer": {
			const { outcome, position, stalenessMs, inSync, replayed } = reply.answer;
			const failed = outcome.errors.find((error) => error !== null);
			if (failed !== undefined && failed !== null) return { outcome: "failed", code: failed.code };
			const known = { outcome: "ok", position, stalenessMs, inSync, replayed } as const;
			return seen === null ? known : { ...known, seen: seen(outcome) };
		}
		case "error":
			return {
				outcome: reply.error.outcome === "did-not-happen" ? "failed" : "unknown",
				code: reply.error.code,
			};
		case "unreachable":
			return { outcome: "failed", code: "UNREACHABLE" };
		case "lost":
			return { outcome: "unknown", code: "CONNECTION_LOST" };
		case "gave-up":
			return { outcome: "unknown", code: "GAVE_UP" };
		default: {
			const never: never = reply;
			throw new Error(String(never));
		}
	}
}

/** What each step found: the result of the read that stands before it in the program. */
function seenIn(steps: readonly Step[], program: Program, outcome: ProgramOutcome): Seen[] {
	let place = program.steps[0]?.statement.sql.startsWith("BEGIN") ? 1 : 0;
	const only = steps.length === 1 && program.steps.length === 1 && steps[0]?.kind !== "read";
	if (only) return [undefined];
	return steps.map((step) => {
		const seen = valueIn(outcome, place);
		place += step.kind === "read" ? 1 : 2;
		return seen;
	});
}
