/** An operator changes a setting of the database now and then, on whatever member. What was answered is in the log. */
import type { LogIndex } from "../../../skein/src/consensus/types.ts";
import { type SettingChange, settingText } from "../../../skein/src/database/setting-change.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import { BrokenProperty } from "../properties/property.ts";
import type { Tell } from "../trace/event.ts";

export interface AnsweredChange {
	readonly change: SettingChange;
	readonly index: LogIndex;
	/** When the operator heard of it. */
	readonly atMs: number;
}

export interface SettingChanges {
	readonly answered: readonly AnsweredChange[];
	/** Begins no further one. */
	stop(): void;
	/** `chosenAt`: what the committed entry there chooses; null: nothing. Throws BrokenProperty. */
	check(chosenAt: (index: LogIndex) => SettingChange | null): void;
}

export interface SettingChangesOptions {
	readonly cluster: Cluster;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly tell: Tell;
	/** On average; null: never. */
	readonly everyMs: number | null;
	readonly draw: (chance: Chance) => SettingChange;
	readonly onOutrage: (error: unknown) => void;
}

export function startSettingChanges(options: SettingChangesOptions): SettingChanges {
	const { cluster, scheduler, chance, tell, everyMs, onOutrage } = options;
	const answered: AnsweredChange[] = [];
	let stopped = false;

	function arm(meanMs: number): void {
		scheduler.after(chance.exponential(meanMs), () => {
			if (stopped) return;
			begin();
			arm(meanMs);
		});
	}

	function begin(): void {
		const { id, server } = chance.pick(cluster.members);
		const change = options.draw(chance);
		server?.life.enter(() => {
			tell({ type: "setting", node: id, name: change.name, to: settingText(change) });
			server.service.changeSetting(change).then(
				({ index }) => void answered.push({ change, index, atMs: scheduler.now }),
				(error: unknown) => {
					if (!(error instanceof Error && "code" in error)) onOutrage(error);
				},
			);
		});
	}

	if (everyMs !== null) arm(everyMs);

	return {
		answered,
		stop() {
			stopped = true;
		},
		check(chosenAt) {
			for (const { change, index } of answered) {
				const found = chosenAt(index);
				if (found?.name === change.name && settingText(found) === settingText(change)) continue;
				const there = found === null ? "no choice" : `${found.name} ${settingText(found)}`;
				throw new BrokenProperty(
					change.name === "format" ? "log format" : "acknowledgement mode",
					`${change.name} ${settingText(change)} was told to be chosen at ${index}, where the log has ${there}`,
				);
			}
		},
	};
}
