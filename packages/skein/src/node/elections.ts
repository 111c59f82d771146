/**
 * Pausing elections, for maintenance: an order that each member keeps for itself, in memory and for a bounded time. The
 * node that is asked tells all others, and whoever comes back is told by everybody. An order has a number, and the
 * highest counts, so it does not matter who hears of which first. It changes only whether a member stands by itself
 * (consensus/holding-back.ts): members that do not agree can cost availability, never safety.
 */
import type { Configuration, NodeId } from "../consensus/types.ts";
import type { Clock, Milliseconds, MonotonicTime } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import { needsConfirmation } from "./confirmation.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { Forwarding } from "./forwarding.ts";

/** A day. */
export const longestPauseMs: Milliseconds = 86_400_000;

export interface PauseRequest {
	/** 0: elections go on. */
	readonly forMs: Milliseconds;
	/** The sentence that says what may be lost, typed. */
	readonly confirm: string | null;
	/** Only says what would come of it. */
	readonly dryRun: boolean;
}

export interface PauseAnswer {
	/** False: they were not paused and are not, or it would only be so. */
	readonly changed: boolean;
	readonly pausedForMs: Milliseconds;
	/** Who keeps the order. */
	readonly told: readonly NodeId[];
	/** Who could not be told: it goes on as before until it can. */
	readonly notTold: readonly NodeId[];
}

/** As it travels. */
export interface PauseOrder {
	readonly number: number;
	/** What is left of it. */
	readonly forMs: Milliseconds;
}

export interface Elections {
	/** On any node. */
	request(request: PauseRequest): Promise<PauseAnswer>;
	/** Another node has this order. */
	hear(order: PauseOrder): object;
	/** It may have started again, and know nothing. */
	onReachable(node: NodeId): void;
	/** A few times a second: tells those that could not be told, and that a pause is over. */
	check(): void;
}

export interface ElectionsOptions {
	readonly self: NodeId;
	readonly runner: () => CoreRunner;
	readonly configuration: () => Configuration;
	readonly forwarding: Pick<Forwarding, "call">;
	readonly clock: Clock;
	readonly logger: Logger;
	/** How long somebody has to answer. */
	readonly timeoutMs: Milliseconds;
}

export function createElections(options: ElectionsOptions): Elections {
	const { self, clock, logger } = options;
	let number = 0;
	let until: MonotonicTime = Number.NEGATIVE_INFINITY;
	/** The end of the present pause was not said yet. */
	let endIsDue = false;
	const untold = new Set<NodeId>();

	const leftMs = (): Milliseconds => Math.max(0, until - clock.now());

	function keep(order: PauseOrder): boolean {
		if (order.number <= number) return false;
		const wasPaused = leftMs() > 0;
		number = order.number;
		until = clock.now() + Math.min(order.forMs, longestPauseMs);
		endIsDue = order.forMs > 0;
		options.runner().step({ type: "hold-back", reason: "paused", forMs: leftMs() });
		const { leader } = options.runner().state;
		if (order.forMs > 0) logger.warn({ forMs: order.forMs, leader }, "elections are paused");
		else if (wasPaused) logger.info({ leader }, "elections go on: the pause was ended");
		return true;
	}

	function others(): NodeId[] {
		return options
			.configuration()
			.members.map(({ id }) => id)
			.filter((id) => id !== self);
	}

	async function tell(node: NodeId): Promise<boolean> {
		const told = number;
		const body = JSON.stringify({ number: told, forMs: leftMs() } satisfies PauseOrder);
		try {
			await options.forwarding.call(node, "elections", body, clock.now() + options.timeoutMs);
			if (told === number) untold.delete(node);
			return true;
		} catch {
			return false;
		}
	}

	function refuseWithoutLeader({ forMs, confirm }: PauseRequest): void {
		if (forMs === 0 || options.runner().state.leader !== null) return;
		const sentence = `writes stop for up to ${Math.ceil(forMs / 1_000)} s`;
		if (confirm === sentence) return;
		throw needsConfirmation("elections are not paused: nobody leads, and nobody would stand", sentence);
	}

	return {
		async request(request) {
			const { forMs, dryRun } = request;
			refuseWithoutLeader(request);
			const changed = forMs > 0 || leftMs() > 0;
			if (dryRun) {
				return { changed: false, pausedForMs: forMs, told: [self, ...others()].sort(), notTold: [] };
			}
			// Above all that this node has heard of; two nodes that do not hear each other go by the date.
			keep({ number: Math.max(number + 1, clock.wallTime()), forMs });
			untold.clear();
			for (const node of others()) untold.add(node);
			const answers = await Promise.all(others().map(async (node) => ({ node, knows: await tell(node) })));
			const told = [self, ...answers.filter(({ knows }) => knows).map(({ node }) => node)].sort();
			const notTold = answers.filter(({ knows }) => !knows).map(({ node }) => node);
			return { changed, pausedForMs: leftMs(), told, notTold };
		},
		hear(order) {
			if (keep(order)) for (const node of untold) if (!others().includes(node)) untold.delete(node);
			return {};
		},
		onReachable(node) {
			if (number > 0) untold.add(node);
		},
		check() {
			if (endIsDue && leftMs() === 0) {
				endIsDue = false;
				logger.info({}, "elections go on: the time of the pause is over");
			}
			for (const node of others()) if (untold.has(node)) void tell(node);
		},
	};
}
