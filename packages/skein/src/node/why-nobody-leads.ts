/** Why there is no leader, as far as this node knows, in words. */
import { neverLeads } from "../consensus/quorum.ts";
import type { CoreRunner } from "./core-runner.ts";

/** For a client that waited for one. An operator's order is named first: it can be ended, whoever else is missing. */
export function whyNobodyLeads(runner: Pick<CoreRunner, "core" | "state">): string {
	const { leader } = runner.state;
	if (leader !== null && neverLeads(runner.core.view.configuration, leader)) {
		return `there is no leader that takes writes: ${leader} never leads, by its priority, and does so only until a voter that may can take over (skein member priority)`;
	}
	const paused = pauseInWords(runner);
	if (paused !== null) return `there is no leader, and ${paused}: skein resume-elections`;
	const { elector, configuration } = runner.core.view;
	if (elector === "manual") {
		const node = configuration.voters.find((voter) => !neverLeads(configuration, voter)) ?? "NODE";
		return `there is no leader, and with elector manual nobody stands by itself: skein stand ${node}, or another node`;
	}
	return "there is no leader: fewer than a majority of the voters can be reached";
}

/** Null: elections are not paused on this node. */
export function pauseInWords({ core }: Pick<CoreRunner, "core">): string | null {
	const { paused } = core.view.heldBackForMs;
	return paused > 0 ? `elections are paused for ${Math.ceil(paused / 1_000)} s` : null;
}
