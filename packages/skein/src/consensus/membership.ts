/**
 * One configuration → the next, as pure functions. Where the voters change, the next one is joint: it
 * needs a majority of the old voters and one of the new ones (Raft §6), and leads to one configuration
 * only. So any two neighbours in a log share a voter in every two of their quorums; DESIGN.md has the argument.
 */
import { unreachable } from "./assert.ts";
import { maxRetired, validateConfiguration } from "./configuration.ts";
import { isMember, isWitness } from "./quorum.ts";
import type { Configuration, Member, MemberChange, NodeId, Priority } from "./types.ts";

/** Ids that are remembered as used up; the oldest are forgotten first. */

export type Plan =
	/** What is asked for is so already. */
	| { readonly type: "nothing-to-do" }
	| { readonly type: "refused"; readonly reason: "invalid" | "id-used-up"; readonly why: string }
	/** `next` goes into the log now. `target`: what it leads to; the same, if that is not joint. */
	| { readonly type: "change"; readonly next: Configuration; readonly target: Configuration };

/** `current` is not joint. All changes happen as one. */
export function planChange(current: Configuration, changes: readonly MemberChange[]): Plan {
	let target = current;
	for (const change of changes) {
		const next = carryOut(target, change);
		if (typeof next === "string") return refused("invalid", `${describe(change)}: ${next}`);
		target = next;
	}
	const usedUp = target.members.find(({ id }) => current.retired.includes(id));
	if (usedUp !== undefined) {
		return refused("id-used-up", `${usedUp.id} was a member before and was removed: choose a new id`);
	}
	const other = target.members.find(
		({ id }) => isMember(current, id) && isWitness(current, id) !== isWitness(target, id),
	);
	if (other !== undefined) {
		return refused(
			"invalid",
			`${other.id} stays what it is, a witness or a member with data: choose a new id`,
		);
	}
	// Two may swap their addresses in one change.
	const [one, another] = atOneAddress(target);
	if (one !== undefined && another !== undefined)
		return refused("invalid", `${one.id} and ${another.id} would both be at ${one.peer}`);
	target = retire(current, sorted(target));
	if (isEqual(current, target)) return { type: "nothing-to-do" };
	try {
		validateConfiguration(target);
		const next = isSameSet(current.voters, target.voters) ? target : join(current, target);
		validateConfiguration(next);
		return { type: "change", next, target: isJoint(next) ? leaveJoint(next) : next };
	} catch (error) {
		return refused("invalid", error instanceof Error ? error.message : String(error));
	}
}

function atOneAddress({ members }: Configuration): readonly Member[] {
	for (const one of members) {
		const another = members.find(({ id, peer }) => id !== one.id && peer === one.peer);
		if (another !== undefined) return [one, another];
	}
	return [];
}

export function isJoint(configuration: Configuration): boolean {
	return configuration.outgoingVoters.length > 0;
}

/** The one configuration that a joint one leads to. */
export function leaveJoint(joint: Configuration): Configuration {
	const { voters, learners } = joint;
	const members = joint.members.filter(({ id }) => voters.includes(id) || learners.includes(id));
	return retire(joint, { ...joint, members, outgoingVoters: [] });
}

function refused(reason: "invalid" | "id-used-up", why: string): Plan {
	return { type: "refused", reason, why };
}

function describe(change: MemberChange): string {
	return `${change.change} ${change.change === "elector" ? change.elector : change.id}`;
}

/** The configuration after the change, or why it cannot be. What is so already stays. */
function carryOut(from: Configuration, change: MemberChange): Configuration | string {
	if (change.change === "elector") return { ...from, elector: change.elector };
	const { id } = change;
	const member = from.members.find((one) => one.id === id);
	const isVoter = from.voters.includes(id);
	switch (change.change) {
		case "add": {
			if (member === undefined) return add(from, change);
			if ((member.witness === true) !== (change.as === "witness"))
				return member.witness === true ? "it is a witness, and holds no data" : "it is no witness";
			if (member.peer !== change.peer) return `it is a member already, at ${member.peer}`;
			// Somebody may have promoted it meanwhile: that is no reason to take its vote away.
			return isVoter || change.as === "learner" || change.as === "witness"
				? from
				: setKind(from, id, change.as);
		}
		case "remove":
			if (member !== undefined) return drop(from, id);
			return from.retired.includes(id) ? from : "there is no such member";
		case "promote":
			if (member?.witness === true)
				return "a witness holds no data: add a member that does, under an id of its own";
			return member === undefined ? "there is no such member" : setKind(from, id, "voter");
		case "demote":
			if (member?.witness === true) return "a witness votes, or is removed";
			return member === undefined ? "there is no such member" : setKind(from, id, "learner");
		case "move": {
			if (member === undefined) return "there is no such member";
			const { peer } = change;
			return { ...from, members: from.members.map((one) => (one.id === id ? { ...one, peer } : one)) };
		}
		case "priority":
			if (member?.witness === true) return "a witness never leads";
			return member === undefined ? "there is no such member" : setPriority(from, id, change.priority);
		default:
			return unreachable(change);
	}
}

function add(
	from: Configuration,
	{ id, peer, as }: Extract<MemberChange, { change: "add" }>,
): Configuration | string {
	const other = from.members.find((one) => one.peer === peer);
	if (other !== undefined) return `${other.id} is at ${peer} already`;
	const added: Member = as === "witness" ? { id, peer, witness: true } : { id, peer };
	return setKind({ ...from, members: [...from.members, added] }, id, as === "witness" ? "voter" : as);
}

function setPriority(from: Configuration, id: NodeId, priority: Priority): Configuration {
	const members = from.members.map((one) => {
		if (one.id !== id) return one;
		const { peer } = one;
		return priority === "normal" ? { id, peer } : { id, peer, priority };
	});
	return { ...from, members };
}

function drop(from: Configuration, id: NodeId): Configuration {
	const isOther = (one: NodeId): boolean => one !== id;
	return {
		...from,
		members: from.members.filter((member) => isOther(member.id)),
		voters: from.voters.filter(isOther),
		learners: from.learners.filter(isOther),
		joining: from.joining.filter(isOther),
	};
}

function setKind(from: Configuration, id: NodeId, kind: "voter" | "joining" | "learner"): Configuration {
	const isOther = (one: NodeId): boolean => one !== id;
	const own = (isIn: boolean): NodeId[] => (isIn ? [id] : []);
	return {
		...from,
		voters: [...from.voters.filter(isOther), ...own(kind === "voter")],
		learners: [...from.learners.filter(isOther), ...own(kind !== "voter")],
		joining: [...from.joining.filter(isOther), ...own(kind === "joining")],
	};
}

/** Whose vote goes stays a member of the joint phase; who only learned and goes is gone at once. */
function join(current: Configuration, target: Configuration): Configuration {
	const leaving = current.members.filter(
		({ id }) => current.voters.includes(id) && !target.members.some((member) => member.id === id),
	);
	return sorted({
		...target,
		members: [...target.members, ...leaving],
		outgoingVoters: current.voters,
		retired: target.retired.filter((id) => !leaving.some((member) => member.id === id)),
	});
}

/** Remembers whoever was a member of `before` and is none of `after`. */
function retire(before: Configuration, after: Configuration): Configuration {
	const isGone = (id: NodeId): boolean => !after.members.some((member) => member.id === id);
	const gone = before.members.map(({ id }) => id).filter(isGone);
	return { ...after, retired: [...before.retired, ...gone].slice(-maxRetired) };
}

/** The same configuration has the same bytes, in whatever order it came about. */
function sorted(configuration: Configuration): Configuration {
	const byName = (a: NodeId, b: NodeId): number => (a < b ? -1 : 1);
	return {
		...configuration,
		members: [...configuration.members].sort((a, b) => byName(a.id, b.id)),
		voters: [...configuration.voters].sort(byName),
		outgoingVoters: [...configuration.outgoingVoters].sort(byName),
		learners: [...configuration.learners].sort(byName),
		joining: [...configuration.joining].sort(byName),
	};
}

function isEqual(one: Configuration, other: Configuration): boolean {
	const isSameMember = ({ id, peer, priority }: Configuration["members"][number]): boolean =>
		other.members.some((member) => member.id === id && member.peer === peer && member.priority === priority);
	return (
		one.members.length === other.members.length &&
		one.members.every(isSameMember) &&
		isSameSet(one.voters, other.voters) &&
		isSameSet(one.learners, other.learners) &&
		isSameSet(one.joining, other.joining) &&
		one.elector === other.elector
	);
}

function isSameSet(one: readonly NodeId[], other: readonly NodeId[]): boolean {
	return one.length === other.length && one.every((id) => other.includes(id));
}
