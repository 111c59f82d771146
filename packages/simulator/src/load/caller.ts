/**
 * What a client sends and hears, and notes of it: with the token of its session, in a mode, with patience or without.
 * Nothing here knows what is asked.
 */
import type { SkeinError } from "../../../client/src/errors.ts";
import type { Acknowledgement } from "../../../skein/src/consensus/acknowledge/acknowledgement.ts";
import type { Position } from "../../../skein/src/consensus/types.ts";
import type { Program } from "../../../skein/src/database/program.ts";
import type { Consistency, RequestOptions } from "../../../skein/src/node/service.ts";
import type { Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type { AcknowledgementMode, ReadLevel, Recorder, Seen, Step } from "../history/history.ts";
import { mayLose } from "../history/history.ts";
import type { Tell } from "../trace/event.ts";
import { type Connection, connect, type Reply } from "./connection.ts";
import { type Ending, promiseOf } from "./outcomes.ts";
import { createSessionTokens } from "./session-tokens.ts";
import type { AskedMode, LoadSettings } from "./settings.ts";

/** What an answer to a write says of when it was given. */
export interface AnsweredMode {
	/** Null: none was named. */
	readonly asked: Acknowledgement | null;
	readonly told: Acknowledgement;
	readonly position: Position;
	readonly sentAtMs: number;
}

export interface CallerOptions {
	readonly id: string;
	readonly members: readonly Member[];
	/** That there can be, ever: what was a majority when a write began may be none when it is answered. */
	readonly mostVoters: number;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly recorder: Recorder;
	readonly tell: Tell;
	readonly settings: LoadSettings;
	/** Also where other clients are kept out. */
	readonly isVisitor: boolean;
	readonly onOutrage: (error: unknown) => void;
	readonly onAnsweredMode: (mode: AnsweredMode) => void;
	/** It was said that no history has this token. That is right if what it names is lost. */
	readonly onRefusedToken: (token: Position) => void;
}

export interface Call {
	readonly steps: readonly Step[];
	readonly level: ReadLevel | null;
	readonly idempotencyKey: string | null;
	readonly attempt: number;
	/** Of a write; null: it only reads. */
	readonly mode: AskedMode | null;
}

export interface Caller {
	/** Whom it asks, if it has no reason to ask another. */
	home: Member;
	/** The session of the operation under way. */
	session: number;
	/** Operations that ended well. */
	readonly acknowledged: number;
	readonly open: (member: Member) => Connection;
	readonly requestFor: (
		level: ReadLevel,
		idempotencyKey: string | null,
		mode?: AskedMode | null,
	) => RequestOptions;
	readonly send: (connection: Connection, program: Program, request: RequestOptions) => Promise<Reply>;
	/** Notes that an operation begins. Returns its id. */
	readonly invoke: (member: Member, call: Call) => number;
	/** As the recorder's: of an operation whose steps are known one by one. */
	readonly step: (operationId: number, step: Step) => number;
	readonly saw: (operationId: number, place: number, seen: Seen) => void;
	/** Notes how it ended. */
	readonly complete: (operationId: number, completion: Ending) => void;
	/** A write that asks for this may be lost after its answer. */
	readonly isEarly: (mode: AskedMode) => boolean;
	readonly wait: (delayMs: number) => Promise<void>;
}

const unreachablePauseMs = 100;

export function createCaller(options: CallerOptions): Caller {
	const { id, members, scheduler, chance, recorder, tell, settings, onOutrage } = options;
	const sessions = createSessionTokens(id, settings.sessions);
	let acknowledged = 0;

	function wait(delayMs: number): Promise<void> {
		return new Promise((resolve) => {
			scheduler.after(delayMs, resolve);
		});
	}

	function refusedToken(error: SkeinError): void {
		const token = sessions.refused(caller.session);
		// No token is of elsewhere.
		if (token === null) return onOutrage(error);
		tell({ type: "client", client: id, what: "begins a session anew" });
		options.onRefusedToken(token);
	}

	const promiseFor = (mode: Acknowledgement): AcknowledgementMode => promiseOf(mode, options.mostVoters);

	/** Of a write that is not answered: where it names no mode, one that may lose it if any can be chosen. */
	function leastPromiseOf(mode: AskedMode): AcknowledgementMode {
		if (mode !== "node's") return promiseFor(mode);
		const promises = [settings.nodeMode, ...settings.chosenModes].map(promiseFor);
		return promises.find(mayLose) ?? promiseFor(settings.nodeMode);
	}

	const isEarly = (mode: AskedMode): boolean => mayLose(leastPromiseOf(mode));

	const caller: Caller = {
		home: chance.pick(members),
		session: 0,
		get acknowledged() {
			return acknowledged;
		},
		open(member) {
			const { delayMs } = settings;
			return connect({ member, scheduler, chance, delayMs, isLetIn: options.isVisitor, onOutrage });
		},
		requestFor(level, idempotencyKey, mode = null) {
			const consistency: Consistency =
				level.level === "session" ? { level: "session", token: sessions.token(caller.session) } : level;
			return {
				consistency,
				idempotencyKey,
				acknowledgement: mode === "node's" ? null : mode,
				timeoutMs: settings.timeoutMs,
			};
		},
		async send(connection, program, request) {
			const sentAtMs = scheduler.now;
			const gone = chance.happens(settings.goneShare);
			if (gone) tell({ type: "client", client: id, what: "goes away" });
			const patienceMs = gone ? chance.exponential(5) : settings.timeoutMs * settings.patience + 50;
			const reply = await connection.send(program, request, patienceMs);
			if (reply.type === "answer") {
				const { position, acknowledgement: told } = reply.answer;
				sessions.answered(caller.session, position, told !== null && mayLose(promiseFor(told)));
				if (told !== null)
					options.onAnsweredMode({ asked: request.acknowledgement, told, position, sentAtMs });
			}
			// Whatever goes wrong in the world has a name of its own.
			if (reply.type === "error" && reply.error.code === "INTERNAL") onOutrage(reply.error);
			if (reply.type === "error" && reply.error.extendedCode === "BAD_REQUEST_SESSION")
				refusedToken(reply.error);
			if (reply.type !== "unreachable") return reply;
			if (chance.happens(settings.leavesShare)) caller.home = chance.pick(members);
			// As clients do; also, asking nobody again and again tests nothing.
			await wait(chance.exponential(unreachablePauseMs));
			return reply;
		},
		invoke(member, { mode, ...call }) {
			const acknowledgement = mode === null ? null : leastPromiseOf(mode);
			if (mode === "node's") tell({ type: "client", client: id, what: "leaves the mode to the node" });
			const operationId = recorder.invoke({
				client: id,
				session: sessions.name(caller.session),
				acknowledgement,
				node: member.id,
				...call,
			});
			const what = call.steps.map(({ kind, key }) => `${kind} ${key}`).join(", ");
			tell({ type: "invoke", operation: operationId, client: id, node: member.id, what });
			return operationId;
		},
		step: (operationId, step) => recorder.step(operationId, step),
		saw: (operationId, place, seen) => recorder.saw(operationId, place, seen),
		complete(operationId, completion) {
			if (completion.outcome === "ok") acknowledged++;
			if (completion.replayed === true) tell({ type: "client", client: id, what: "hears an earlier answer" });
			if (completion.inSync === true)
				tell({ type: "client", client: id, what: "reads of an in-sync member" });
			const { mode = null, ...known } = completion;
			recorder.complete(operationId, mode === null ? known : { ...known, acknowledgement: promiseFor(mode) });
			const { outcome, code } = completion;
			tell({ type: "complete", operation: operationId, outcome, code: code ?? null });
		},
		isEarly,
		wait,
	};
	return caller;
}
