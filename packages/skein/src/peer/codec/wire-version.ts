/**
 * The versions of the messages between nodes. One of this program understands all from `oldest` to `newest`; on each
 * connection the newest is spoken that both sides know (handshake). What is changed or added in a version:
 *
 *   6  writes that name no mode, the mode in answers, settings, witnesses, electors
 *   7  `status` tells the wire versions of its sender
 *
 * A new version keeps the last one: its golden file stays, and what only the new one has stands behind `version >= N`.
 */
import type { WireVersions } from "../../world/network.ts";

export const wireVersions: WireVersions = { oldest: 6, newest: 7 };

/** The newest that both understand; null: none. */
export function commonVersion(one: WireVersions, other: WireVersions): number | null {
	const newest = Math.min(one.newest, other.newest);
	return newest >= Math.max(one.oldest, other.oldest) ? newest : null;
}

/** "6", "6 to 7" */
export function versionsText({ oldest, newest }: WireVersions): string {
	return oldest === newest ? `${newest}` : `${oldest} to ${newest}`;
}
