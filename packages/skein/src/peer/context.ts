/** What every connection of one node needs to know: who we are, the secret, time, limits, and a log that does not repeat itself. */
import type { NodeId } from "../consensus/types.ts";
import type { Identity } from "../log/log.ts";
import type { Clock } from "../world/clock.ts";
import type { LogFields, Logger } from "../world/logger.ts";
import type { WireVersions } from "../world/network.ts";
import type { Random } from "../world/random.ts";
import type { PeerLimits } from "./limits.ts";

export interface PeerContext {
	readonly identity: Identity;
	/** Of the software; for the log only. */
	readonly version: string;
	readonly secret: string | null;
	readonly wire: WireVersions;
	/** Clusters that were given up, and this one made from a survivor of: whoever comes with one of these hears of it. */
	readonly recoveredFrom: readonly string[];
	/** Another node proved that our cluster was given up. */
	onSuperseded(by: string): void;
	readonly clock: Clock;
	readonly random: Random;
	readonly limits: PeerLimits;
	readonly log: Logger;
	/** Warns unless the same key was warned about a short time ago. */
	warnOnce(key: string, fields: LogFields, message: string): void;
	/** A peer proved who it is; false: it is not the node that had this name before. */
	onIncarnation(node: NodeId, incarnation: string): boolean;
}

/** Strangers choose part of the keys, so the memory of them is bounded. */
const maxKeys = 1_000;

export function createWarnOnce(clock: Clock, log: Logger, intervalMs: number): PeerContext["warnOnce"] {
	const lastAt = new Map<string, number>();
	return (key, fields, message) => {
		const now = clock.now();
		const last = lastAt.get(key);
		if (last !== undefined && now - last < intervalMs) {
			log.debug(fields, message);
			return;
		}
		if (lastAt.size >= maxKeys) lastAt.clear();
		lastAt.set(key, now);
		log.warn(fields, message);
	};
}
