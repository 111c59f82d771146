/**
 * An operator who changes members while everything goes wrong: machines come, with empty disks and new names, in
 * the place of others that were lost, or for nothing; members go, learn and vote, one or several at a time. Those who
 * were removed run on. It never asks for what would leave no majority of undamaged disks, whatever comes of what it
 * asked for before: that nobody promises to survive.
 */
import { planChange } from "../../../skein/src/consensus/membership.ts";
import { neverLeads } from "../../../skein/src/consensus/quorum.ts";
import type { Configuration, MemberChange, NodeId } from "../../../skein/src/consensus/types.ts";
import { sentenceIn } from "../../../skein/src/node/confirmation.ts";
import type { MembersRequest } from "../../../skein/src/node/member-changes.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { halvesOf, settledOf } from "../cluster/configurations.ts";
import type { Member } from "../cluster/member.ts";
import type { Chance } from "../engine/chance.ts";
import type { Tell } from "../trace/event.ts";
import { leavesMajority } from "../world/fault-atlas.ts";

export interface Operator {
	/** Asks for some change: this member, or any. */
	change(asked: Member | null): void;
	/** Asks that some member is to lead, or never is. */
	prioritize(asked: Member, chance: Chance): void;
	/** For each configuration that may count: the voters that may lead. */
	mayLead(): readonly (readonly NodeId[])[];
	/** All sets of voters that may count, now or when what was asked for has happened. */
	voters(): readonly (readonly NodeId[])[];
	/** A member now, and whatever comes of what was asked for. */
	staysMember(node: NodeId): boolean;
}

export interface OperatorOptions {
	readonly cluster: Cluster;
	readonly chance: Chance;
	readonly tell: Tell;
	/** Disks that lost something, or may have. */
	readonly spent: () => ReadonlySet<NodeId>;
	/** A new machine runs from now on. */
	readonly start: (member: Member) => void;
	readonly onOutrage: (error: unknown) => void;
}

type Wish = readonly MemberChange[];

/** Of which nobody knows whether they will happen: with more the operator waits. */
const mostOpen = 2;
const mostVoters = 7;

const kinds = [
	"grow",
	"grow",
	"replace",
	"replace",
	"replace",
	"shrink",
	"promote",
	"demote",
	"two",
] as const;
type Kind = (typeof kinds)[number];

export function createOperator(options: OperatorOptions): Operator {
	const { cluster, chance, tell, onOutrage } = options;
	/** Asked for, and perhaps never, perhaps later. */
	const open = new Set<Wish>();

	/** Everything that may become of these configurations by what was asked for, in any order. */
	function outcomes(from: readonly Configuration[], wishes: readonly Wish[]): Configuration[] {
		const all = [...from];
		for (const one of from) {
			const bases = settledOf(one);
			for (const wish of wishes) {
				const rest = wishes.filter((other) => other !== wish);
				for (const base of bases) {
					const plan = planChange(base, wish);
					if (plan.type === "change") all.push(...outcomes([plan.target], rest));
				}
			}
		}
		return all;
	}

	const possible = (wishes: readonly Wish[] = [...open]): Configuration[] =>
		outcomes(cluster.configurations.live, wishes);

	function latest(): Configuration {
		const live = cluster.configurations.live.at(-1);
		if (live === undefined) throw new Error("nobody has a configuration");
		return settledOf(live)[0] ?? live;
	}

	function draw(kind: Kind): MemberChange[] {
		const { voters, learners, members } = latest();
		const spent = options.spent();
		const away = members.map(({ id }) => id).filter((id) => cluster.member(id).hasLostDisk || spent.has(id));
		switch (kind) {
			case "grow":
				return come();
			case "replace": {
				const old = away.length > 0 ? chance.pick(away) : chance.pick(voters);
				const changes = come();
				return changes.length === 0 ? [] : [...changes, { change: "remove", id: old }];
			}
			case "shrink":
				return [{ change: "remove", id: chance.pick(members).id }];
			case "promote":
				return learners.length === 0 ? [] : [{ change: "promote", id: chance.pick(learners) }];
			case "demote":
				return [{ change: "demote", id: chance.pick(voters) }];
			case "two":
				return [
					...draw(chance.pick(["grow", "replace"])),
					...draw(chance.pick(["shrink", "promote", "demote"])),
				];
			default: {
				const never: never = kind;
				throw new Error(String(never));
			}
		}
	}

	/** A machine that is not used yet, or was brought for a change that came to nothing. */
	function come(): MemberChange[] {
		const idle = cluster.members.filter(({ id, hasLostDisk }) => !hasLostDisk && isUnknown(id));
		const member = idle.length > 0 ? chance.pick(idle) : cluster.deploy();
		if (member === null) return [];
		if (idle.length === 0) options.start(member);
		const as = chance.pick(["joining", "joining", "learner", "voter"] as const);
		return [{ change: "add", id: member.id, peer: `${member.id}:1`, as }];
	}

	/** No member, and never was one, as far as anybody knows. */
	function isUnknown(id: NodeId): boolean {
		const isKnown = ({ members, retired }: Configuration): boolean =>
			members.some((member) => member.id === id) || retired.includes(id);
		return !options.spent().has(id) && !possible().some(isKnown);
	}

	function isSafe(wish: Wish): boolean {
		const spent = [...options.spent()];
		const { voters: before } = latest();
		return possible([...open, wish]).every(
			(one) =>
				one.voters.length <= mostVoters &&
				// Somebody must be there who surely belongs to it, or nobody can be asked whether it works.
				one.voters.some((voter) => before.includes(voter)) &&
				halvesOf([one]).every((voters) => leavesMajority(voters, spent)),
		);
	}

	/** `insists`: what may be lost is confirmed. */
	function ask(member: Member, request: MembersRequest, insists: boolean): void {
		const { server } = member;
		if (server === null) return;
		const wish = request.changes;
		const what = wish.map((one) => `${one.change} ${detailOf(one)}`).join(", ");
		tell({ type: "change-members", node: member.id, what, force: request.confirm !== null });
		open.add(wish);
		server.life.enter(() => {
			server.service.changeMembers(request).then(
				({ changed }) => {
					open.delete(wish);
					tell({ type: "members-changed", node: member.id, outcome: changed ? "done" : "nothing to do" });
				},
				(error: unknown) => {
					if (!(error instanceof Error && "code" in error && "outcome" in error)) return onOutrage(error);
					if (error.outcome === "did-not-happen") open.delete(wish);
					const outcome = `${String(error.outcome)}, ${String(error.code)}`;
					tell({ type: "members-changed", node: member.id, outcome, why: error.message });
					const sentence = sentenceIn(error.message);
					// Or it was the same one, and the situation has changed meanwhile.
					if (sentence === null || request.confirm !== null || !insists) return;
					if (isSafe(wish)) ask(member, { ...request, confirm: sentence }, false);
				},
			);
		});
	}

	return {
		change(asked) {
			if (open.size >= mostOpen) return;
			const changes = draw(chance.pick(kinds));
			const running = cluster.members.filter(({ server }) => server !== null);
			if (changes.length === 0 || running.length === 0 || !isSafe(changes)) return;
			const member = asked ?? chance.pick(running);
			ask(member, { changes, confirm: null, dryRun: false }, chance.happens(0.15));
		},
		prioritize(asked, ofPriorities) {
			if (open.size >= mostOpen) return;
			const { id } = ofPriorities.pick(latest().members);
			const priority = ofPriorities.pick(["never", "never", "preferred", "normal"] as const);
			const changes = [{ change: "priority", id, priority }] as const;
			ask(asked, { changes, confirm: null, dryRun: false }, false);
		},
		mayLead: () => possible().map((one) => one.voters.filter((voter) => !neverLeads(one, voter))),
		voters: () => halvesOf(possible()),
		staysMember(node) {
			return possible().every(({ members, voters, learners }) =>
				members.some(({ id }) => id === node && (voters.includes(id) || learners.includes(id))),
			);
		},
	};
}

function detailOf(change: MemberChange): string {
	if (change.change === "elector") return change.elector;
	if (change.change === "add") return `${change.id} as ${change.as}`;
	return change.change === "priority" ? `${change.id} ${change.priority}` : change.id;
}
