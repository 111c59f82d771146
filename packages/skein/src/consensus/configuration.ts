/**
 * The bytes of a configuration entry, and what makes a configuration valid. Ids and addresses are
 * ASCII. Layout: version 1, then four lists (members as id and address, voters, outgoing voters,
 * learners): a two-byte count (big endian), then each string as one length byte and its bytes. Version 2
 * has two more, the joining and the retired ids; a configuration without any is written as version 1. Version 3 is
 * version 2 with a byte behind each member: its priority, and 4 if it is a witness; written where one is not 0. Version 4
 * is version 3 with a byte at its end, the elector; written where one was chosen.
 */
import { assert } from "./assert.ts";
import { isWitness, neverLeads } from "./quorum.ts";
import {
	type Configuration,
	electorNames,
	type LogIndex,
	type Member,
	type NodeId,
	type Priority,
} from "./types.ts";

const latestFormatVersion = 4;
/** The byte of each: its place. Never changed. */
const witnessMark = 4;
const priorities: readonly Priority[] = ["normal", "preferred", "never"];
const maxMembers = 64;
export const maxRetired = 1_000;
const idPattern = /^[A-Za-z0-9._-]{1,64}$/;
/** Printable ASCII without spaces: what a host and port can be made of. */
const peerPattern = /^[!-~]{1,255}$/;

/** A configuration and the index of the entry that holds it. */
export interface ConfigurationAt {
	readonly index: LogIndex;
	readonly value: Configuration;
}

/** Every member of a new group begins with these, in the same order and so with the same bytes. */
export function initialConfiguration(members: readonly Member[]): Configuration {
	const sorted = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
	const configuration = {
		members: sorted.map(({ id, peer, witness }) => (witness === true ? { id, peer, witness } : { id, peer })),
		voters: sorted.map(({ id }) => id),
		outgoingVoters: [],
		learners: [],
		joining: [],
		retired: [],
	};
	validateConfiguration(configuration);
	return configuration;
}

/** What a node begins with that joins: in force at the base of its empty log. It has no quorum, and nobody stands. */
export const noMembers: Configuration = {
	members: [],
	voters: [],
	outgoingVoters: [],
	learners: [],
	joining: [],
	retired: [],
};

/** Throws, with the reason, if the configuration cannot be meant. */
export function validateConfiguration(configuration: Configuration): void {
	const { members, voters, outgoingVoters, learners, joining, retired } = configuration;
	const ids = members.map((member) => member.id);
	assert(members.length <= maxMembers, () => `a configuration of ${members.length} members`);
	for (const { id, peer } of members) {
		assert(idPattern.test(id), () => `node id ${JSON.stringify(id)}`);
		assert(peerPattern.test(peer), () => `peer address ${JSON.stringify(peer)}`);
	}
	assert(voters.length > 0, "a configuration without voters");
	assert(
		voters.some((voter) => !neverLeads(configuration, voter)),
		() => `none of the voters ${voters.join(", ")} may lead`,
	);
	for (const list of [ids, voters, outgoingVoters, learners, joining]) {
		assert(new Set(list).size === list.length, "a configuration that names a node twice");
		for (const id of list) assert(ids.includes(id), () => `${id} is not a member`);
	}
	for (const half of [voters, outgoingVoters]) {
		const witnesses = half.filter((voter) => isWitness(configuration, voter));
		// A quorum of them alone would hold nothing that can be read.
		assert(
			2 * witnesses.length < half.length || half.length === 0,
			() => `of the voters ${half.join(", ")} too many are witnesses: ${witnesses.join(", ")}`,
		);
	}
	for (const { id, witness, priority } of members) {
		if (witness !== true) continue;
		assert(!learners.includes(id), () => `the witness ${id} does not vote`);
		assert(priority === undefined, () => `the witness ${id} has a priority`);
	}
	for (const id of learners) assert(!voters.includes(id), () => `${id} is voter and learner`);
	for (const id of ids) {
		const named = voters.includes(id) || outgoingVoters.includes(id) || learners.includes(id);
		assert(named, () => `member ${id} is neither voter nor learner`);
	}
	for (const id of joining) assert(learners.includes(id), () => `${id} is joining, and no learner`);
	assert(retired.length <= maxRetired, () => `${retired.length} retired ids`);
	for (const id of retired) {
		assert(idPattern.test(id), () => `retired id ${JSON.stringify(id)}`);
		assert(!ids.includes(id), () => `${id} is a member, though its id is used up`);
	}
}

/** The number of the oldest format that holds it: the one in which it is written. */
export function configurationFormat(configuration: Configuration): 1 | 2 | 3 | 4 {
	const { members, joining, retired, elector } = configuration;
	if (elector !== undefined) return 4;
	if (members.some((member) => markOf(member) !== 0)) return 3;
	return joining.length === 0 && retired.length === 0 ? 1 : 2;
}

export function encodeConfiguration(configuration: Configuration): Uint8Array {
	validateConfiguration(configuration);
	const { joining, retired } = configuration;
	const format = configurationFormat(configuration);
	const { elector } = configuration;
	const bytes: number[] = [format];
	const putCount = (count: number): void => {
		bytes.push(count >> 8, count & 0xff);
	};
	const putText = (text: string): void => {
		bytes.push(text.length);
		for (let place = 0; place < text.length; place++) bytes.push(text.charCodeAt(place));
	};
	putCount(configuration.members.length);
	for (const member of configuration.members) {
		putText(member.id);
		putText(member.peer);
		if (format >= 3) bytes.push(markOf(member));
	}
	const { voters, outgoingVoters, learners } = configuration;
	for (const list of [voters, outgoingVoters, learners, ...(format === 1 ? [] : [joining, retired])]) {
		putCount(list.length);
		for (const id of list) putText(id);
	}
	if (elector !== undefined) bytes.push(electorNames.indexOf(elector));
	return Uint8Array.from(bytes);
}

function markOf({ priority, witness }: Member): number {
	return witness === true ? witnessMark : priorities.indexOf(priority ?? "normal");
}

export function decodeConfiguration(bytes: Uint8Array): Configuration {
	let place = 0;
	const takeByte = (): number => {
		const byte = bytes[place++];
		assert(byte !== undefined, "a configuration entry is too short");
		return byte;
	};
	const takeText = (): string => {
		const length = takeByte();
		let text = "";
		while (text.length < length) text += String.fromCharCode(takeByte());
		return text;
	};
	const takeList = <T>(take: () => T, most = maxMembers): T[] => {
		const count = (takeByte() << 8) | takeByte();
		assert(count <= most, () => `a list of ${count} nodes in a configuration entry`);
		return Array.from({ length: count }, take);
	};
	const takeMember = (): Member => {
		const [id, peer] = [takeText(), takeText()];
		const mark = version < 3 ? 0 : takeByte();
		if (mark === witnessMark) return { id, peer, witness: true };
		const priority = priorities[mark];
		assert(priority !== undefined, () => `an unknown mark of ${id}: ${mark}`);
		return priority === "normal" ? { id, peer } : { id, peer, priority };
	};
	const version = takeByte();
	assert(
		version >= 1 && version <= latestFormatVersion,
		() => `configuration format ${version}, this program knows those up to ${latestFormatVersion}`,
	);
	const listed = {
		members: takeList(takeMember),
		voters: takeList<NodeId>(takeText),
		outgoingVoters: takeList<NodeId>(takeText),
		learners: takeList<NodeId>(takeText),
		joining: version === 1 ? [] : takeList<NodeId>(takeText),
		retired: version === 1 ? [] : takeList<NodeId>(takeText, maxRetired),
	};
	const elector = version < 4 ? undefined : electorNames[takeByte()];
	assert(version < 4 || elector !== undefined, "an unknown elector");
	const configuration: Configuration = elector === undefined ? listed : { ...listed, elector };
	assert(place === bytes.length, "a configuration entry is too long");
	validateConfiguration(configuration);
	return configuration;
}
