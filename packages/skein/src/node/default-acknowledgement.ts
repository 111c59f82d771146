/** The mode of writes that name none, where the cluster can never meet it. */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { isWitness } from "../consensus/quorum.ts";
import type { Configuration } from "../consensus/types.ts";
import type { Logger } from "../world/logger.ts";
import { acknowledgementText } from "./acknowledgement-text.ts";

/** Not refused: who may vote can change while a node runs, and writes that name another mode are well. */
export function warnIfNeverMet(
	acknowledgement: Acknowledgement,
	configuration: Pick<Configuration, "voters" | "members">,
	logger: Logger,
): void {
	const voters = configuration.voters.filter((voter) => !isWitness(configuration, voter));
	// Who joins knows of no voters yet.
	if (acknowledgement.mode !== "semi-sync" || voters.length === 0) return;
	if (acknowledgement.followers < voters.length) return;
	logger.warn(
		{ acknowledgement: acknowledgementText(acknowledgement), voters: voters.length },
		`the default mode ${acknowledgementText(acknowledgement)} asks for more followers than this cluster has (${voters.length - 1}): every write without a Skein-Ack header will be refused`,
	);
}
