/**
 * What all members must be able to read is logged only when all of them can: entries, configurations and settings that
 * came with a wire version. Members tell theirs with their status; one that has not is taken for the oldest that
 * is let in at all.
 */
import { SkeinError } from "../../../client/src/errors.ts";
import { configurationFormat } from "../consensus/configuration.ts";
import type { Configuration, NodeId } from "../consensus/types.ts";
import { wireVersions } from "../peer/codec/wire-version.ts";
import type { WireVersions } from "../world/network.ts";
import { allOf } from "./recover/recovery-plan.ts";

export interface WireGateOptions {
	readonly self: NodeId;
	readonly own: WireVersions;
	readonly members: () => readonly NodeId[];
	readonly wireOf: (node: NodeId) => WireVersions | null;
}

export interface WireGate {
	/** Throws where a member does not understand it yet. */
	mustKnow(version: number, what: string): void;
	mustKnowConfiguration(configuration: Configuration): void;
}

/** The wire version with which each format of configurations came: by its number. */
const configurationSince: Readonly<Record<number, number>> = { 1: 6, 2: 6, 3: 6, 4: 6 };

export function createWireGate({ self, own, members, wireOf }: WireGateOptions): WireGate {
	const newestOf = (node: NodeId): number =>
		node === self ? own.newest : (wireOf(node)?.newest ?? wireVersions.oldest);

	function mustKnow(version: number, what: string): void {
		const older = members().filter((node) => newestOf(node) < version);
		if (older.length === 0) return;
		const them = older.length === 1 ? "is" : "are";
		throw new SkeinError(`cannot ${what} until ${allOf(older)} ${them} upgraded`, { code: "BAD_REQUEST" });
	}

	return {
		mustKnow,
		mustKnowConfiguration(configuration) {
			const format = configurationFormat(configuration);
			// Not listed: it came with the newest.
			mustKnow(configurationSince[format] ?? wireVersions.newest, "change the members like this");
		},
	};
}
