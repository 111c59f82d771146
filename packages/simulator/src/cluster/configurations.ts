/**
 * Who may count, as an observer sees it: the last configuration that somebody knew to be committed, and
 * all that were seen in logs after it. One of these may have been cut since, or come back with a disk: so
 * whoever asks what a majority is must have one in each of them.
 */
import { isJoint, leaveJoint, planChange } from "../../../skein/src/consensus/membership.ts";
import type { Configuration, LogIndex, NodeId } from "../../../skein/src/consensus/types.ts";
import type { CoreView } from "../../../skein/src/consensus/view.ts";

export interface Configurations {
	/** Of a member, whenever it has changed. */
	note(view: CoreView): void;
	readonly live: readonly Configuration[];
}

interface Seen {
	readonly index: LogIndex;
	readonly key: string;
	readonly value: Configuration;
}

export function createConfigurations(bootstrap: Configuration): Configurations {
	let committed: Seen = { index: 0, key: JSON.stringify(bootstrap), value: bootstrap };
	let later: Seen[] = [];
	let live: readonly Configuration[] = [bootstrap];

	return {
		note({ configuration: value, configurationIndex: index, commitIndex }) {
			if (index <= committed.index || value.members.length === 0) return;
			const seen = { index, key: JSON.stringify(value), value };
			if (index <= commitIndex) {
				committed = seen;
				later = later.filter((one) => one.index > index);
			} else if (!later.some((one) => one.index === index && one.key === seen.key)) later.push(seen);
			live = [committed, ...later].map((one) => one.value);
		},
		get live() {
			return live;
		},
	};
}

/** All sets of voters of which a majority is needed now, or once the joint phase is over and who joins has a vote. */
export function halvesOf(configurations: readonly Configuration[]): (readonly NodeId[])[] {
	const halves: (readonly NodeId[])[] = [];
	for (const one of configurations) {
		const { voters, outgoingVoters, joining } = one;
		halves.push(voters);
		if (outgoingVoters.length > 0) halves.push(outgoingVoters);
		for (let some = 1; some < 2 ** joining.length; some++) {
			halves.push([...voters, ...joining.filter((_, place) => (some >> place) & 1)]);
		}
	}
	return halves;
}

/** What a configuration comes to by itself: without its joint phase, and with any of those who join as voters. */
export function settledOf(configuration: Configuration): Configuration[] {
	const settled = isJoint(configuration) ? leaveJoint(configuration) : configuration;
	const all = [settled];
	for (let some = 1; some < 2 ** settled.joining.length; some++) {
		const ready = settled.joining.filter((_, place) => (some >> place) & 1);
		const plan = planChange(
			settled,
			ready.map((id) => ({ change: "promote", id })),
		);
		if (plan.type === "change") all.push(plan.target);
	}
	return all;
}
