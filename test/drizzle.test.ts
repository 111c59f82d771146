// Drizzle, unchanged, on @libsql/client.
import { createClient } from "@libsql/client";
import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/libsql";
import { blob, integer, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { expect, test } from "vitest";
import { useCluster } from "./support/cluster.ts";

const cluster = useCluster();

const goose = sqliteTable("goose", {
	id: integer("id").primaryKey({ autoIncrement: true }),
	name: text("name").notNull().unique(),
	weight: real("weight"),
	isLeader: integer("is_leader", { mode: "boolean" }).notNull().default(false),
	ring: blob("ring", { mode: "buffer" }),
	facts: text("facts", { mode: "json" }).$type<{ readonly from: string }>(),
	hatchedAt: integer("hatched_at", { mode: "timestamp" }),
});
const flight = sqliteTable("flight", {
	id: integer("id").primaryKey(),
	gooseId: integer("goose_id").references(() => goose.id, { onDelete: "cascade" }),
	kilometres: integer("kilometres").notNull(),
});

test("schema, rows of every kind, joins, transactions and batches, through different nodes", async () => {
	const clients = cluster().urls.map((url) => createClient({ url }));
	const [one, two, three] = clients.map((client) => drizzle(client, { schema: { goose, flight } }));
	if (one === undefined || two === undefined || three === undefined)
		throw new Error("three nodes are needed");
	await one.run(sql`create table goose (id integer primary key autoincrement, name text not null unique, weight real,
		is_leader integer not null default 0, ring blob, facts text, hatched_at integer)`);
	await two.run(sql`create table flight (id integer primary key, goose_id integer references goose (id) on delete cascade,
		kilometres integer not null)`);

	const hatchedAt = new Date("2024-05-01T00:00:00Z");
	const [akka] = await two
		.insert(goose)
		.values({
			name: "Akka",
			weight: 3.5,
			isLeader: true,
			ring: Buffer.from([1, 0, 255]),
			facts: { from: "Kebnekaise" },
			hatchedAt,
		})
		.returning();
	expect(akka).toEqual({
		id: 1,
		name: "Akka",
		weight: 3.5,
		isLeader: true,
		ring: Buffer.from([1, 0, 255]),
		facts: { from: "Kebnekaise" },
		hatchedAt,
	});
	await three.insert(goose).values([{ name: "Yksi" }, { name: "Kaksi" }]);
	await one
		.insert(goose)
		.values({ name: "Akka" })
		.onConflictDoUpdate({ target: goose.name, set: { weight: 4 } });

	await two.transaction(async (transaction) => {
		const [yksi] = await transaction.select().from(goose).where(eq(goose.name, "Yksi"));
		await transaction.insert(flight).values({ gooseId: yksi?.id ?? 0, kilometres: 100 });
		await transaction.insert(flight).values({ gooseId: 1, kilometres: 50 });
	});
	await expect(
		three.transaction(async (transaction) => {
			await transaction.insert(flight).values({ gooseId: 1, kilometres: 1 });
			throw new Error("bad weather");
		}),
	).rejects.toThrow("bad weather");
	const joined = await three
		.select({ name: goose.name, kilometres: flight.kilometres })
		.from(flight)
		.innerJoin(goose, eq(goose.id, flight.gooseId))
		.orderBy(flight.id);
	expect(joined).toEqual([
		{ name: "Yksi", kilometres: 100 },
		{ name: "Akka", kilometres: 50 },
	]);

	const [, counted] = await one.batch([
		one.delete(goose).where(eq(goose.name, "Yksi")),
		one.select({ rows: sql<number>`count(*)` }).from(flight),
	]);
	// The foreign key's cascade took Yksi's flight along.
	expect(counted).toEqual([{ rows: 1 }]);
	expect(await two.query.goose.findFirst({ where: eq(goose.id, 1) })).toMatchObject({
		name: "Akka",
		weight: 4,
	});
	await expect(three.insert(goose).values({ name: "Kaksi" })).rejects.toThrow();
	for (const client of clients) client.close();
});
