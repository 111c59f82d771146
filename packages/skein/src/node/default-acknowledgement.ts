/**
 * The mode of writes that name none: a setting of the database (setting-change.ts), so that it is the leader's to apply
 * and the same for everybody. What a node was started with is what the first leader of a new cluster chooses.
 */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { isWitness } from "../consensus/quorum.ts";
import type { Configuration } from "../consensus/types.ts";
import { acknowledgementText } from "../database/acknowledgement-text.ts";
import type { Logger } from "../world/logger.ts";

export interface DefaultAcknowledgement {
	/** As of what is committed, as far as this node knows: on a leader that serves, all of it. */
	readonly current: Acknowledgement;
	/** By an entry of the log. */
	readonly isChosen: boolean;
	/** An entry that chooses it is committed, or a snapshot holds one. */
	chosen(acknowledgement: Acknowledgement): void;
	/** Warns where the cluster can never meet it. */
	onConfiguration(configuration: Pick<Configuration, "voters" | "members">): void;
}

export interface DefaultAcknowledgementOptions {
	/** What this node was started with; null: it does not say. */
	readonly own: Acknowledgement | null;
	/** What the database holds; null: nobody has chosen. */
	readonly opened: Acknowledgement | null;
	readonly logger: Logger;
	readonly onChange: (acknowledgement: Acknowledgement) => void;
}

export function createDefaultAcknowledgement(options: DefaultAcknowledgementOptions): DefaultAcknowledgement {
	const { own, opened, logger } = options;
	let voterCount = 0;
	let current: Acknowledgement = opened ?? own ?? { mode: "quorum" };
	let isChosen = opened !== null;
	warnIfOther();

	function warnIfOther(): void {
		const mode = acknowledgementText(current);
		if (own === null || acknowledgementText(own) === mode) return;
		logger.warn(
			{ acknowledgement: mode, started: acknowledgementText(own) },
			`the acknowledgement mode of this cluster is ${mode}; --acknowledgement ${acknowledgementText(own)}, with which this node was started, counts for new clusters only: skein mode changes it`,
		);
	}

	/** Not refused: who may vote can change while a node runs, and writes that name another mode are well. */
	function warnIfNeverMet(): void {
		// Who joins knows of no voters yet.
		if (current.mode !== "semi-sync" || voterCount === 0 || current.followers < voterCount) return;
		const mode = acknowledgementText(current);
		logger.warn(
			{ acknowledgement: mode, voters: voterCount },
			`the default mode ${mode} asks for more followers than this cluster has (${voterCount - 1}): every write without a Skein-Ack header will be refused`,
		);
	}

	return {
		get current() {
			return current;
		},
		get isChosen() {
			return isChosen;
		},
		chosen(acknowledgement) {
			const isSame = acknowledgementText(acknowledgement) === acknowledgementText(current);
			isChosen = true;
			if (isSame) return;
			current = acknowledgement;
			logger.info({ acknowledgement: acknowledgementText(current) }, "the acknowledgement mode has changed");
			warnIfOther();
			warnIfNeverMet();
			options.onChange(current);
		},
		onConfiguration(configuration) {
			voterCount = configuration.voters.filter((voter) => !isWitness(configuration, voter)).length;
			warnIfNeverMet();
		},
	};
}
