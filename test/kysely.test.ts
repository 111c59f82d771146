// Kysely, unchanged, by its libSQL dialect, which brings an older @libsql/client (0.8) than libsql-client.test.ts uses.
import { LibsqlDialect } from "@libsql/kysely-libsql";
import { type Generated, Kysely, sql } from "kysely";
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";

const cluster = useCluster();

interface Tables {
	readonly nest: { readonly id: Generated<number>; readonly place: string; readonly eggs: number };
}

test("schema builder, queries, transactions and introspection, through different nodes", async () => {
	const [one, two, three] = cluster().urls.map(
		(url) => new Kysely<Tables>({ dialect: new LibsqlDialect({ url }) }),
	);
	if (one === undefined || two === undefined || three === undefined)
		throw new Error("three nodes are needed");
	await one.schema
		.createTable("nest")
		.addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
		.addColumn("place", "text", (column) => column.notNull().unique())
		.addColumn("eggs", "integer", (column) => column.notNull().check(sql`eggs >= 0`))
		.execute();
	const inserted = await two
		.insertInto("nest")
		.values([
			{ place: "reed", eggs: 4 },
			{ place: "island", eggs: 6 },
		])
		.returning(["id", "place"])
		.execute();
	expect(inserted).toEqual([
		{ id: 1, place: "reed" },
		{ id: 2, place: "island" },
	]);

	await three.transaction().execute(async (transaction) => {
		await transaction.updateTable("nest").set({ eggs: 5 }).where("place", "=", "reed").execute();
		const { total } = await transaction
			.selectFrom("nest")
			.select((builder) => builder.fn.sum<number>("eggs").as("total"))
			.executeTakeFirstOrThrow();
		expect(total).toBe(11);
	});
	await expect(
		one.transaction().execute(async (transaction) => {
			await transaction.deleteFrom("nest").execute();
			throw new Error("a fox");
		}),
	).rejects.toThrow("a fox");
	await expect(two.updateTable("nest").set({ eggs: -1 }).execute()).rejects.toThrow(
		"CHECK constraint failed",
	);
	expect(await two.selectFrom("nest").select(["place", "eggs"]).orderBy("id").execute()).toEqual([
		{ place: "reed", eggs: 5 },
		{ place: "island", eggs: 6 },
	]);
	const [table] = (await three.introspection.getTables()).filter((found) => found.name === "nest");
	expect(table?.columns.map((column) => column.name)).toEqual(["id", "place", "eggs"]);
	await Promise.all([one, two, three].map((database) => database.destroy()));
});
