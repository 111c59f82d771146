/**
 * How new a read's state must be, by its level, and the reading itself.
 *
 * linearizable: the leader's read index, asked for after the request came, is applied here.
 * session: the session's token is applied here. bounded: this state is proven to be young enough (freshness.ts);
 * if it is not, as a linearizable read. eventual: at once.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import type { LogIndex, Position } from "../consensus/types.ts";
import type { CoreView } from "../consensus/view.ts";
import type { ReadTransaction } from "../database/database.ts";
import type { Program } from "../database/program.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { AppliedIndex } from "./applied-index.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { ReadableDatabase } from "./fit-database.ts";
import type { Freshness, Moment } from "./freshness.ts";
import type { ReadIndex } from "./read-index.ts";
import type { Answer, Consistency } from "./service.ts";
import { formatToken, strangeSession } from "./session-token.ts";

/** A session that waits for longer asks the leader whether its token can be of this history at all. */
const doubtAfterMs: Milliseconds = 100;

export interface ReadLevels {
	/** Resolves when this member's state is as new as the level asks for. */
	reach(consistency: Consistency, deadlineAt: MonotonicTime): Promise<void>;
	read(program: Program, consistency: Consistency, deadlineAt: MonotonicTime): Promise<Answer>;
	/** The level is judged now, for the whole transaction: it keeps its state. */
	begin(consistency: Consistency, deadlineAt: MonotonicTime): Promise<HeldState>;
	/** How old the state of that moment is by now, at most; null: unknown. */
	stalenessOf(asOf: Moment | null): Milliseconds | null;
}

export interface HeldState {
	readonly snapshot: ReadTransaction;
	/** The moment that the snapshot is known to be as fresh as. */
	readonly asOf: Moment | null;
}

export interface ReadLevelsOptions {
	readonly database: ReadableDatabase;
	readonly readIndex: ReadIndex;
	readonly applied: AppliedIndex;
	readonly freshness: Freshness;
	/** What this member knows of the log. */
	readonly history: () => Pick<CoreView, "commitIndex" | "base" | "termAt">;
	/** This member is in-sync now, and so are reads that begin from now on. */
	readonly inSync: () => boolean;
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly statementTimeoutMs: Milliseconds;
	/** This member can apply nothing, for want of room. */
	readonly diskFull: () => boolean;
	/** Which members may be what nothing is committed for, in words. */
	readonly missing: () => Promise<string>;
	/** It is waited for room, and for anything to be committed, no longer than for a leader. */
	readonly leaderWaitMs: Milliseconds;
}

/** A state that was read, and what proves its age. */
interface Seen<T> {
	readonly value: T;
	readonly asOf: Moment | null;
	/** How old it was when SQLite fixed it, at most. */
	readonly stalenessMs: Milliseconds | null;
	readonly inSync: boolean;
}

export function createReadLevels(options: ReadLevelsOptions): ReadLevels {
	const { database, readIndex, applied, freshness, clock, deadlines } = options;

	/**
	 * `ofLeader`: the index came from the leader, which may be lost with what it had acknowledged up to there: then
	 * the wait ends with false, and the next one is to be asked.
	 */
	function whenApplied(
		index: LogIndex,
		deadlineAt: MonotonicTime,
		late: () => SkeinError,
		ofLeader: boolean,
	): Wait {
		let end = (_error: SkeinError | null, _reached?: boolean): void => {};
		const done = new Promise<boolean>((resolve, reject) => {
			const cancel = applied.whenReached(
				index,
				() => end(null),
				ofLeader ? () => end(null, false) : undefined,
			);
			const deadline = deadlines.add(deadlineAt, () => end(late()));
			let patience = waitInVain();
			function waitInVain(): Deadline {
				const { commitIndex } = options.history();
				return deadlines.add(clock.now() + options.leaderWaitMs, () => {
					if (options.diskFull()) return end(diskIsFull());
					if (!ofLeader) return;
					// The leader answered early what this read must see, and commits nothing.
					if (index > commitIndex && options.history().commitIndex === commitIndex)
						return void options.missing().then((missing) => end(notCommitted(options.leaderWaitMs, missing)));
					patience = waitInVain();
				});
			}
			end = (error, reached = true) => {
				cancel();
				deadline.cancel();
				patience.cancel();
				if (error === null) resolve(reached);
				else reject(error);
			};
			if (index <= applied.reflected) end(null);
		});
		return { done, fail: (error) => end(error) };
	}

	async function ask(deadlineAt: MonotonicTime): Promise<void> {
		for (;;) {
			const index = await readIndex.ask(deadlineAt);
			if (index <= applied.reflected) return;
			if (await whenApplied(index, deadlineAt, notApplied, true).done) return;
		}
	}

	async function reachToken(token: Position, deadlineAt: MonotonicTime): Promise<void> {
		if (token.index > applied.reflected) {
			refuseContradicted(token);
			const wait = whenApplied(token.index, deadlineAt, notApplied, false);
			const doubt = deadlines.add(clock.now() + doubtAfterMs, () => {
				// Only its answer counts: that there is no leader says nothing about the token.
				readIndex.ask(deadlineAt).then(
					(index) => {
						if (index < token.index) wait.fail(strangeToken(token, `which is at index ${index}`));
					},
					() => {},
				);
			});
			await wait.done.finally(() => doubt.cancel());
		}
		refuseContradicted(token);
	}

	/**
	 * A token names a committed entry. Here another entry is known to be committed at that index: the token is of
	 * another cluster, or of a history that was lost (docs/decisions/session-tokens.md).
	 */
	function refuseContradicted(token: Position): void {
		const history = options.history();
		if (token.index > history.commitIndex) return;
		const { base } = history;
		const known = history.termAt(token.index);
		// Where the log was cut terms are forgotten, but along a log they never become less.
		const contradicts =
			known === null ? token.index <= base.index && token.term > base.term : known !== token.term;
		if (contradicts) throw strangeToken(token, "which has another entry there");
	}

	/** Young enough, as far as is known now. */
	function isProven(maxStalenessMs: Milliseconds): boolean {
		const staleness = stalenessOf(freshness.asOf(applied.reflected));
		return staleness !== null && staleness <= maxStalenessMs;
	}

	/** What no clock can make older: asked after the request came. */
	async function prove(maxStalenessMs: Milliseconds, deadlineAt: MonotonicTime): Promise<void> {
		try {
			await ask(deadlineAt);
		} catch (error) {
			const isUnproven =
				error instanceof SkeinError && (error.code === "NO_LEADER" || error.code === "TIMEOUT");
			throw isUnproven ? tooStale(maxStalenessMs, stalenessOf(freshness.asOf(applied.reflected))) : error;
		}
	}

	/** Returns whether what was reached is proven by a question that was asked after the request came. */
	async function reach(consistency: Consistency, deadlineAt: MonotonicTime): Promise<boolean> {
		switch (consistency.level) {
			case "eventual":
				return false;
			case "linearizable":
				await ask(deadlineAt);
				return true;
			case "session":
				if (consistency.token !== null) await reachToken(consistency.token, deadlineAt);
				return false;
			case "bounded":
				// The time is taken here, not when the request came: the process may have stood still since.
				if (isProven(consistency.maxStalenessMs)) return false;
				await prove(consistency.maxStalenessMs, deadlineAt);
				return true;
			default: {
				const never: never = consistency;
				throw new Error(String(never));
			}
		}
	}

	/**
	 * Looks by `look`, and makes sure of the bound afterwards. The process may also stand still between the check and
	 * the moment in which SQLite fixes the state, and only what is measured after that moment notices. Then the
	 * question is asked after all.
	 */
	async function see<T>(
		consistency: Consistency,
		deadlineAt: MonotonicTime,
		look: () => Promise<{ readonly value: T; readonly applied: Position; readonly ranMs: Milliseconds }>,
		drop: (value: T) => Promise<void>,
	): Promise<Seen<T>> {
		const askedSince = await reach(consistency, deadlineAt);
		const first = await lookOnce(look);
		if (consistency.level !== "bounded" || askedSince) return first;
		if (first.stalenessMs !== null && first.stalenessMs <= consistency.maxStalenessMs) return first;
		await drop(first.value);
		await prove(consistency.maxStalenessMs, deadlineAt);
		return await lookOnce(look);
	}

	async function lookOnce<T>(
		look: () => Promise<{ readonly value: T; readonly applied: Position; readonly ranMs: Milliseconds }>,
	): Promise<Seen<T>> {
		// Before: the state that SQLite fixes later has at least this.
		const { reflected } = applied;
		const inSync = options.inSync();
		const seen = await look();
		const asOf = freshness.asOf(Math.max(reflected, seen.applied.index));
		// What the read took after its state was fixed does not make that state older; all else that passed counts.
		const stalenessMs = asOf === null ? null : freshness.age(asOf, seen.ranMs);
		return { value: seen.value, asOf, stalenessMs, inSync };
	}

	function stalenessOf(asOf: Moment | null): Milliseconds | null {
		return asOf === null ? null : freshness.age(asOf);
	}

	const timeLeft = (deadlineAt: MonotonicTime): { timeoutMs: Milliseconds } => ({
		timeoutMs: Math.max(1, Math.min(options.statementTimeoutMs, deadlineAt - clock.now())),
	});

	return {
		async reach(consistency, deadlineAt) {
			await reach(consistency, deadlineAt);
		},
		async read(program, consistency, deadlineAt) {
			const look = async () => {
				const value = await database.read(program, timeLeft(deadlineAt));
				return { value, applied: value.applied, ranMs: value.ranMs };
			};
			const { value, stalenessMs, inSync } = await see(consistency, deadlineAt, look, async () => {});
			return {
				outcome: value.outcome,
				position: applied.shownBy(value.applied),
				stalenessMs,
				inSync,
				replayed: false,
				acknowledgement: null,
			};
		},
		async begin(consistency, deadlineAt) {
			const look = async () => {
				const value = await database.beginRead(timeLeft(deadlineAt));
				return { value, applied: value.applied, ranMs: 0 };
			};
			const { value, asOf } = await see(consistency, deadlineAt, look, (snapshot) => snapshot.close());
			const shown = applied.shownBy(value.applied);
			return { snapshot: shown === value.applied ? value : { ...value, applied: shown }, asOf };
		},
		stalenessOf,
	};
}

interface Wait {
	/** False: another leader leads. */
	readonly done: Promise<boolean>;
	fail(error: SkeinError): void;
}

function diskIsFull(): SkeinError {
	return new SkeinError(
		"the disk of this node is full: it cannot apply the newest writes; make room, or read from another node",
		{ code: "DISK_FULL" },
	);
}

function notCommitted(limitMs: Milliseconds, missing: string): SkeinError {
	return new SkeinError(
		`this read must see a write that was acknowledged before its commit, and nothing was committed for ${limitMs} ms${missing}; read with level eventual or session, or try again`,
		{ code: "TIMEOUT" },
	);
}

function notApplied(): SkeinError {
	return new SkeinError("this node has not applied the newest writes in time", { code: "TIMEOUT" });
}

function strangeToken(token: Position, why: string): SkeinError {
	return new SkeinError(
		`the session token ${formatToken(token)} is not of this cluster's history, ${why}: it comes from another cluster, or from a state that was lost. Begin a new session, without it`,
		{ code: "BAD_REQUEST", extendedCode: strangeSession },
	);
}

function tooStale(maxStalenessMs: Milliseconds, knownMs: Milliseconds | null): SkeinError {
	const known =
		knownMs === null ? "how old its state is, is not known" : `its state may be ${Math.ceil(knownMs)} ms old`;
	return new SkeinError(
		`this node cannot prove that its state is no older than ${maxStalenessMs} ms, as no leader confirms it in time: ${known}`,
		{ code: "TOO_STALE" },
	);
}
