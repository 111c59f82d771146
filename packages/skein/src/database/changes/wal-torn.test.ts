// Pages that are torn by a loss of power in a checkpoint are repaired: by the write-ahead file, and by the log behind it.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { differingPages, imageOf } from "../testing/contents.ts";
import { commitGroup, formatRequest, openWriter, requestOf, withMembers } from "../testing/members.ts";

const pageBytes = 4_096;
const frameBytes = 24 + pageBytes;

/** Pages of which the write-ahead file has a frame. */
function pagesIn(wal: Uint8Array): number[] {
	const view = new DataView(wal.buffer, wal.byteOffset, wal.byteLength);
	const count = Math.floor((wal.length - 32) / frameBytes);
	return Array.from({ length: count }, (_, at) => view.getUint32(32 + at * frameBytes));
}

test("torn pages are repaired by replay", () => {
	withMembers((members) => {
		members.writers["a"]?.prepareToLead();
		commitGroup(members, "a", ["b", "c"], [requestOf(["create table t (id integer primary key, x)"])]);
		commitGroup(members, "a", ["b", "c"], [formatRequest("wal")]);
		const write = (): unknown =>
			commitGroup(members, "a", ["b", "c"], [requestOf(["insert into t (x) values (randomblob(60000))"])]);
		for (let round = 0; round < 5; round++) write();
		members.writers["b"]?.connection().exec("PRAGMA wal_checkpoint(TRUNCATE)");
		for (let round = 0; round < 5; round++) write();
		const path = join(members.directory, "b");
		const torn = join(members.directory, "torn");
		const wal = readFileSync(`${path}-wal`);
		copyFileSync(`${path}-wal`, `${torn}-wal`);
		const from = members.log.length;
		for (let round = 0; round < 3; round++) write();
		const behind = members.log.slice(from);
		// Of each page that a checkpoint was about to copy, one half is on the disk, and it is not even of one moment.
		const main = readFileSync(path);
		const damaged = Buffer.alloc(Math.max(main.length, pageBytes * Math.max(...pagesIn(wal))));
		main.copy(damaged);
		for (const page of pagesIn(wal)) damaged.fill(0xa5, (page - 1) * pageBytes + 2_048, page * pageBytes);
		writeFileSync(torn, damaged);
		expect(pagesIn(wal).length).toBeGreaterThan(50);
		const again = openWriter(torn);
		again.apply(behind);
		again.connection().exec("PRAGMA wal_checkpoint(TRUNCATE)");
		expect(differingPages(imageOf(torn), imageOf(join(members.directory, "a")))).toBeNull();
		expect(again.connection().prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
		again.close();
	});
});
