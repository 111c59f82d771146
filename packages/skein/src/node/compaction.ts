/**
 * Keeps SQLite's write-ahead file and the log small: copies SQLite's pages back into its main file,
 * and cuts the log up to what that file holds durably, less a tail for followers that are a little
 * behind. Followers that are further behind get a snapshot, and what they need after it is kept, as
 * far as there is room: one slow follower must not fill the leader's disk (reference bug 37).
 */
import type { LogIndex } from "../consensus/types.ts";
import type { Database } from "../database/database.ts";
import type { Log } from "../log/log.ts";
import type { Clock, Timer } from "../world/clock.ts";
import type { Logger } from "../world/logger.ts";
import type { AppliedIndex } from "./applied-index.ts";
import type { CoreRunner } from "./core-runner.ts";
import type { NodeSettings } from "./settings.ts";
import type { SnapshotHolds } from "./snapshot-holds.ts";

export interface Compaction {
	start(): void;
	/** After it, no entry up to the returned index is in the log. */
	readonly compactedIndex: LogIndex;
	stop(): Promise<void>;
}

export interface CompactionOptions {
	readonly database: Database;
	/** Made by the owner of the writing connection. */
	readonly checkpoint: () => Promise<LogIndex>;
	readonly log: Log;
	readonly runner: () => CoreRunner;
	readonly applied: AppliedIndex;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly settings: NodeSettings;
	readonly holds: SnapshotHolds;
}

export function createCompaction(options: CompactionOptions): Compaction {
	const { database, log, clock, logger, settings } = options;
	const maxHeldBytes = settings.compactLogBytes + settings.maxHeldLogBytes;
	let compactedIndex = log.recovered.base.index;
	let timer: Timer | null = null;
	let stopped = false;
	let running: Promise<void> = Promise.resolve();

	function isLogLarge(): boolean {
		return log.sizeBytes() > settings.compactLogBytes;
	}

	async function look(): Promise<void> {
		const logIsLarge = isLogLarge();
		const durableIndex = await options.checkpoint();
		if (!logIsLarge) return;
		const { view } = options.runner().core;
		// A snapshot may be ahead of what the log has on disk, and on a full disk work for the log waits that
		// cuts or writes entries that the database already holds: where it builds on must stay.
		const possible = Math.min(
			durableIndex,
			options.applied.position.index - settings.logTailEntries,
			view.durableIndex,
		);
		const upTo = log.sizeBytes() > maxHeldBytes ? possible : options.holds.limit(possible);
		// Up to the base all is gone, or goes when the reset that is under way is carried out.
		if (upTo <= Math.max(compactedIndex, view.base.index)) return;
		// The core first: from now on it asks for nothing that is about to go.
		options.runner().step({ type: "compacted", index: upTo });
		compactedIndex = upTo;
		const cut = await log.compact(upTo);
		logger.debug({ upTo, cut, sizeBytes: log.sizeBytes() }, "log compacted");
	}

	function arm(): void {
		if (stopped) return;
		timer = clock.setTimer(settings.compactionIntervalMs, () => {
			if (!isLogLarge() && database.walBytes() <= settings.checkpointBytes) return arm();
			running = look()
				.catch((error: unknown) =>
					logger.warn({ error: String(error) }, "compaction failed; it is tried again"),
				)
				.finally(arm);
		});
	}

	return {
		start: arm,
		get compactedIndex() {
			// A snapshot that was installed cut the log too.
			return Math.max(compactedIndex, options.runner().core.view.base.index);
		},
		async stop() {
			stopped = true;
			timer?.cancel();
			await running;
		},
	};
}
