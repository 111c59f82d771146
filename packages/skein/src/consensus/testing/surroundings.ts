/** A core made up around one elector: what it is told can be changed at any time, and what it says is kept. */
import { initialConfiguration } from "../configuration.ts";
import type { Surroundings } from "../electors/elector.ts";
import type { ElectorHint } from "../message.ts";
import type { Configuration, NodeId } from "../types.ts";

export interface MadeUpSurroundings {
	readonly around: { -readonly [Name in keyof Surroundings]: Surroundings[Name] };
	/** Empties it: to whom, which word, and of whom. */
	readonly said: () => (readonly [to: NodeId, word: ElectorHint["word"], candidate: NodeId, round: number])[];
}

export function voters(...ids: readonly NodeId[]): Configuration {
	return initialConfiguration(ids.map((id) => ({ id, peer: `${id}:1` })));
}

/** Every wait has half of what chance can add to it. */
export function createSurroundings(self: NodeId, configuration: Configuration): MadeUpSurroundings {
	const hints: (readonly [NodeId, ElectorHint])[] = [];
	const around = {
		self,
		random: () => 0.5,
		electionTimeoutMs: 400,
		heartbeatIntervalMs: 40,
		term: 1,
		last: { term: 2, index: 5 },
		configuration,
		isLeaderFresh: false,
		isStanding: false,
		mayStand: true,
		tell: (to: NodeId, hint: ElectorHint) => void hints.push([to, hint]),
	};
	return {
		around,
		said: () => hints.splice(0).map(([to, { word, candidate, round }]) => [to, word, candidate, round]),
	};
}
