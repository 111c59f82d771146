/**
 * A client's connection to one member: a stream of its service, over a network that takes a moment. What
 * is sent settles in every case: with an answer, an error, the loss of the connection, or the client's
 * own patience.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { Program } from "../../../skein/src/database/program.ts";
import type { Answer, RequestOptions, Stream } from "../../../skein/src/node/service.ts";
import type { Member, RunningProcess } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";

export type Reply =
	| { readonly type: "answer"; readonly answer: Answer }
	| { readonly type: "error"; readonly error: SkeinError }
	/** Nobody took the connection: nothing was sent. */
	| { readonly type: "unreachable" }
	/** The process ended. */
	| { readonly type: "lost" }
	| { readonly type: "gave-up" };

export interface Connection {
	send(program: Program, options: RequestOptions, patienceMs: number): Promise<Reply>;
	/** The client goes away, also in the middle of a request. */
	close(): void;
}

export interface ConnectionOptions {
	readonly member: Member;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	/** One way, on average. */
	readonly delayMs: number;
	/** Also where clients are kept out. */
	readonly isLetIn: boolean;
	/** An answer that no node may give, whatever happens. */
	readonly onOutrage: (error: unknown) => void;
}

export function connect(options: ConnectionOptions): Connection {
	const { scheduler, chance, onOutrage } = options;
	const server: RunningProcess | null = options.member.server;
	const travelMs = (): number => chance.exponential(options.delayMs);
	let stream: Stream | null = null;
	let lastArrival = 0;

	/** One connection: what is sent later arrives later. */
	function arrive(life: RunningProcess["life"], work: () => void): void {
		lastArrival = Math.max(lastArrival, scheduler.now + travelMs());
		life.after(lastArrival - scheduler.now, work);
	}

	function opened(service: RunningProcess["service"]): Stream {
		stream ??= service.openStream();
		return stream;
	}

	return {
		send(program, request, patienceMs) {
			const isKeptOut = options.member.keepsClientsOut && !options.isLetIn;
			if (server === null || server.life.over || isKeptOut) {
				return new Promise((resolve) => {
					scheduler.after(travelMs(), () => resolve({ type: "unreachable" }));
				});
			}
			const { life, service } = server;
			return new Promise((resolve) => {
				let settled = false;
				const settle = (reply: Reply, delayMs: number): void => {
					if (settled) return;
					settled = true;
					heard();
					scheduler.after(delayMs, () => {
						patience.cancel();
						resolve(reply);
					});
				};
				const patience = scheduler.after(patienceMs, () => settle({ type: "gave-up" }, 0));
				const heard = life.whenOver(() => settle({ type: "lost" }, travelMs()));
				arrive(life, () => {
					run(() => opened(service), program, request).then((reply) => {
						// Of a dead process nothing is heard.
						if (!life.over) settle(reply, travelMs());
					}, onOutrage);
				});
			});
		},
		close() {
			if (server === null) return;
			arrive(server.life, () => {
				stream?.close().catch(onOutrage);
			});
		},
	};
}

async function run(open: () => Stream, program: Program, request: RequestOptions): Promise<Reply> {
	try {
		return { type: "answer", answer: await open().run(program, request) };
	} catch (error) {
		if (error instanceof SkeinError) return { type: "error", error };
		throw error;
	}
}
