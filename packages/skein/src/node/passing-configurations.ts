/**
 * Configurations among the entries of a serving leader. The core changes members by itself: before a batch, behind one,
 * or while there is none. They change no rows, so reads need not wait for them, and the database is told of them with
 * the next commit.
 */
import type { LogIndex, Position } from "../consensus/types.ts";
import type { DatabaseState } from "../database/database.ts";
import type { AppliedIndex } from "./applied-index.ts";
import type { CoreRunner } from "./core-runner.ts";

/** Of a large transaction that is on its way, up to its end. */
export interface Pieces {
	readonly first: LogIndex;
	readonly last: LogIndex;
}

export interface PassingConfigurations {
	/** The last up to `index`, if it is not in the database yet. */
	newConfiguration(index: LogIndex): DatabaseState["configuration"];
	/** What is committed and changes nothing by itself: configurations, and pieces behind them. */
	reflectUpTo(commitIndex: LogIndex, pieces: Pieces | null): void;
	/**
	 * What the file shows now. Others may show a configuration that is committed and not on our own disk yet, and no
	 * answer is behind what they showed before (found by simulation).
	 */
	shown(pieces: Pieces | null): Position;
}

export function createPassingConfigurations({
	runner,
	applied,
}: {
	readonly runner: () => CoreRunner;
	readonly applied: AppliedIndex;
}): PassingConfigurations {
	function reflectUpTo(commitIndex: LogIndex, pieces: Pieces | null): void {
		const { view } = runner().core;
		let index = applied.position.index;
		while (index < commitIndex && view.configurationAt(index + 1).index === index + 1) index++;
		if (index > applied.position.index) applied.passes({ index, term: view.termAt(index) ?? 0 });
		if (pieces?.first === index + 1) index = Math.min(commitIndex, pieces.last);
		applied.reflects(index);
	}

	return {
		newConfiguration(index) {
			const last = runner().core.view.configurationAt(index);
			return last.index > applied.position.index ? last : null;
		},
		reflectUpTo,
		shown(pieces) {
			reflectUpTo(runner().core.view.commitIndex, pieces);
			return applied.shownBy(applied.position);
		},
	};
}
