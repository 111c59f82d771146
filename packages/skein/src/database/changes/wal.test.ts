// The log format wal: members' databases are the same byte for byte, whatever SQL ran, whoever led, also with readers open.
import { join } from "node:path";
import { expect, test } from "vitest";
import { differingPages, imageOf } from "../testing/contents.ts";
import { commitGroup, formatRequest, type Members, requestOf, withMembers } from "../testing/members.ts";

function expectSameBytes({ directory }: Members): void {
	const [a, b, c] = ["a", "b", "c"].map((name) => imageOf(join(directory, name)));
	if (a === undefined || b === undefined || c === undefined) throw new Error("three members");
	expect(a.length).toBeGreaterThan(4096);
	expect(differingPages(a, b)).toBeNull();
	expect(differingPages(a, c)).toBeNull();
}

function write(members: Members, leader: string, ...sql: readonly string[]): void {
	const followers = ["a", "b", "c"].filter((name) => name !== leader);
	commitGroup(members, leader, followers, [requestOf(sql)]);
}

test("members whose files differed are the same from the change to wal on", () => {
	withMembers((members) => {
		const { writers } = members;
		writers["a"]?.prepareToLead();
		write(members, "a", "create table t (id integer primary key, x)");
		for (let round = 0; round < 50; round++)
			write(members, "a", `insert into t (x) values (hex(randomblob(${round * 9})))`);
		commitGroup(members, "a", ["b", "c"], [formatRequest("wal")]);
		expectSameBytes(members);
		write(members, "a", "insert into t (x) values (random())", "create table u (y default (random()))");
		expectSameBytes(members);
		writers["b"]?.prepareToLead();
		write(members, "b", "insert into u default values", "delete from t where id < 20");
		write(members, "b", "drop table t", "create index i on u (y)");
		expectSameBytes(members);
	});
});
