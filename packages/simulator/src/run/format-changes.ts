/** An operator changes the log format now and then, on whatever member. What was answered is in the log. */
import type { LogIndex } from "../../../skein/src/consensus/types.ts";
import { type LogFormat, logFormats } from "../../../skein/src/database/log-format.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import { BrokenProperty } from "../properties/property.ts";
import type { Tell } from "../trace/event.ts";

export interface FormatChanges {
	/** Begins no further one. */
	stop(): void;
	/** `chosenAt`: what the committed entry there chooses; null: nothing. Throws BrokenProperty. */
	check(chosenAt: (index: LogIndex) => LogFormat | null): void;
}

export interface FormatChangesOptions {
	readonly cluster: Cluster;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly tell: Tell;
	/** On average; null: never. */
	readonly everyMs: number | null;
	readonly onOutrage: (error: unknown) => void;
}

export function startFormatChanges(options: FormatChangesOptions): FormatChanges {
	const { cluster, scheduler, chance, tell, everyMs, onOutrage } = options;
	const answered: { readonly format: LogFormat; readonly index: LogIndex }[] = [];
	let stopped = false;

	function arm(meanMs: number): void {
		scheduler.after(chance.exponential(meanMs), () => {
			if (stopped) return;
			change();
			arm(meanMs);
		});
	}

	function change(): void {
		const { id, server } = chance.pick(cluster.members);
		const to = chance.pick(logFormats);
		server?.life.enter(() => {
			tell({ type: "format", node: id, to });
			server.service.changeFormat(to).then(
				(changed) => void answered.push(changed),
				(error: unknown) => {
					if (!(error instanceof Error && "code" in error)) onOutrage(error);
				},
			);
		});
	}

	if (everyMs !== null) arm(everyMs);

	return {
		stop() {
			stopped = true;
		},
		check(chosenAt) {
			for (const { format, index } of answered) {
				if (chosenAt(index) === format) continue;
				throw new BrokenProperty(
					"log format",
					`the format ${format} was told to be chosen at ${index}, where the log has ${chosenAt(index) ?? "no choice"}`,
				);
			}
		},
	};
}
