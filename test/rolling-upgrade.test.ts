/** Nodes of the last wire version and of this one are one cluster, and go over to this one, one after the other. */
import { expect, test } from "vitest";
import { wireVersions } from "../packages/skein/src/peer/codec/wire-version.ts";
import { useCluster } from "./support/cluster.ts";
import { get, run, view } from "./support/http.ts";
import { until } from "./support/until.ts";

const cluster = useCluster({ nodes: 3, settings: {}, start: false });

test("written to all the time, upgraded a node at a time", async () => {
	const { nodes } = cluster();
	for (const node of nodes) node.fault("older-wire", node.id !== "n3");
	await Promise.all(nodes.map((node) => node.start()));
	const first = await cluster().leader();
	await run(first.url, "create table goose (name text)");
	for (const node of nodes) {
		// Through each node, so that requests are passed on between the versions.
		await run(node.url, "insert into goose values (?)", [`before ${node.id}`]);
		if (node.id === "n3") continue;
		await node.stop();
		node.fault("older-wire", false);
		await node.start();
		await run((await cluster().leader()).url, "insert into goose values (?)", [`after ${node.id}`]);
	}
	await cluster().caughtUp();
	const { rows } = await run((await cluster().leader()).url, "select count(*) from goose");
	expect(rows).toEqual([[5]]);
	await until({ what: "all to say what they understand", timeoutMs: 10_000 }, async () => {
		const members = Object.values((await view((await cluster().leader()).url)).members);
		return members.every((member) => member.wire?.newest === wireVersions.newest);
	});
	// What `skein members` shows.
	const { body } = await get((await cluster().leader()).url, "/cluster/members");
	expect(JSON.parse(body).members.n1.wire).toEqual(wireVersions);
});
