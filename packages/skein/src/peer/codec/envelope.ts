/**
 * What every message begins with, and the parts that several messages share.
 *
 *   message  = version:u8 type:u8 group:u32 from:name to:name body
 *   position = term:varint index:varint
 *   member   = id:name peer:string
 *   configuration = members:list<member> voters:list<name> outgoingVoters:list<name> learners:list<name>
 *   role     = u8: 0 leader, 1 follower, 2 candidate
 */
import type { Configuration, GroupId, Member, NodeId, Position, Role } from "../../consensus/types.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export interface Header {
	readonly group: GroupId;
	readonly from: NodeId;
	readonly to: NodeId;
}

export function writePosition(writer: Writer, position: Position): void {
	writer.varint(position.term);
	writer.varint(position.index);
}

export function readPosition(reader: Reader): Position {
	return { term: reader.varint(), index: reader.varint() };
}

const roles: readonly Role[] = ["leader", "follower", "candidate"];

export function writeRole(writer: Writer, role: Role): void {
	writer.u8(roles.indexOf(role));
}

export function readRole(reader: Reader): Role {
	return reader.choice(roles, "role");
}

export function writeName(writer: Writer, name: string): void {
	writer.name(name);
}

export function readName(reader: Reader): string {
	return reader.name();
}

export function writeString(writer: Writer, text: string): void {
	writer.string(text);
}

export function readString(reader: Reader): string {
	return reader.string();
}

function writeMember(writer: Writer, member: Member): void {
	writer.name(member.id);
	writer.string(member.peer);
}

function readMember(reader: Reader): Member {
	return { id: reader.name(), peer: reader.string() };
}

/** Without joining and retired ids: whoever gets a snapshot finds them in the copy itself. */
export function writeConfiguration(writer: Writer, configuration: Configuration): void {
	writer.list(configuration.members, writeMember);
	writer.list(configuration.voters, writeName);
	writer.list(configuration.outgoingVoters, writeName);
	writer.list(configuration.learners, writeName);
}

export function readConfiguration(reader: Reader): Configuration {
	return {
		members: reader.list(readMember, 3),
		voters: reader.list(readName, 2),
		outgoingVoters: reader.list(readName, 2),
		learners: reader.list(readName, 2),
		joining: [],
		retired: [],
	};
}
