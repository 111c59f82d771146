/**
 * A request is sent again under its idempotency key until its client has heard what it wants to: to another member
 * than before, perhaps under another leader, and now and then also after an answer, as if that had been lost behind
 * the client. Without a key it is sent once.
 */
import type { Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import type { Tell } from "../trace/event.ts";
import type { Caller } from "./caller.ts";
import type { LoadSettings } from "./settings.ts";

export interface TriesOptions {
	readonly id: string;
	readonly members: readonly Member[];
	readonly caller: Caller;
	readonly chance: Chance;
	readonly tell: Tell;
	readonly settings: LoadSettings;
	/** Nothing that was heard is asked for again. */
	readonly isStopped: () => boolean;
}

export interface Try {
	readonly member: Member;
	/** 1 for the first. */
	readonly attempt: number;
}

export interface UnderKey {
	readonly idempotencyKey: string | null;
	/** Left out: it may be. */
	readonly mayRepeat?: boolean;
	/** Sends it, and notes what it hears. Whether that was all. */
	readonly once: (one: Try) => Promise<boolean>;
}

export interface Tries {
	readonly underKey: (request: UnderKey) => Promise<void>;
}

/** How many answered requests with a key are sent again, if attempts are left. */
const repeatedShare = 0.1;

export function createTries(options: TriesOptions): Tries {
	const { id, members, caller, chance, tell, settings, isStopped } = options;
	const repeatChance = chance.fork("repeats");

	const drawRepeatMs = (): number =>
		Math.min(5_000, repeatChance.exponential(repeatChance.pick([100, 3_000])));

	return {
		async underKey({ idempotencyKey, once, mayRepeat = true }) {
			for (let attempt = 1; attempt <= settings.attempts; attempt++) {
				const member = attempt === 1 ? caller.home : chance.pick(members);
				if (attempt > 1) tell({ type: "client", client: id, what: "tries again with its key" });
				const isHeard = await once({ member, attempt });
				// Without a key the same values must not be sent again.
				if (idempotencyKey === null) return;
				if (!isHeard) await caller.wait(chance.exponential(settings.thinkMs));
				else if (mayRepeat && !isStopped() && repeatChance.happens(repeatedShare))
					await caller.wait(drawRepeatMs());
				else return;
			}
		},
	};
}
