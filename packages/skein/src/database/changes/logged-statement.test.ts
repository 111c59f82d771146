// Statements in a payload come back as they were, of every length and with every value.
import { expect, test } from "vitest";
import type { Value } from "../program.ts";
import { createStatementDecoder, createStatementEncoder, type LoggedStatement } from "./logged-statement.ts";

function throughPayload(statements: readonly LoggedStatement[]): LoggedStatement[] {
	const encode = createStatementEncoder();
	const decode = createStatementDecoder();
	return statements.map((statement) => decode(Uint8Array.from(encode(statement))));
}

const plain: LoggedStatement = { sql: "x", values: [], firesTriggers: false, changes: 1, lastRowid: null };

test("texts of every length around what a buffer holds", () => {
	const statements = Array.from({ length: 300 }, (_, length) => ({
		...plain,
		sql: "x".repeat(length),
		changes: length * 1_000_003,
		lastRowid: length % 2 === 0 ? BigInt(length) - 7n : null,
	}));
	expect(throughPayload(statements)).toEqual(statements);
});

test("values of every type", () => {
	const values: Value[] = [
		null,
		0n,
		-1n,
		9223372036854775807n,
		-9223372036854775808n,
		0.1,
		-0,
		Number.POSITIVE_INFINITY,
		5e-324,
		"",
		"\uFEFFgoose \0 🪿",
		new Uint8Array(0),
		Uint8Array.from({ length: 1000 }, (_, place) => place % 256),
	];
	expect(throughPayload([{ ...plain, values }])).toEqual([{ ...plain, values }]);
});

test("a text that comes again is written once", () => {
	const encode = createStatementEncoder();
	const sql = "insert into goose (name) values (?)";
	const [first, second] = ["Akka", "Kebnekaise"].map((name) => encode({ ...plain, sql, values: [name] }));
	expect(first?.length).toBeGreaterThan(sql.length);
	expect(second?.length).toBeLessThan(20);
	const statements = ["a", "b", "a", "b", "c", "a"].map((text) => ({ ...plain, sql: text }));
	expect(throughPayload(statements)).toEqual(statements);
});

test("what ends too early, or refers to nothing, is refused", () => {
	const bytes = createStatementEncoder()({ ...plain, values: ["Akka"] });
	for (let end = 0; end < bytes.length; end++)
		expect(() => createStatementDecoder()(bytes.slice(0, end))).toThrow("too early");
	expect(() => createStatementDecoder()(Uint8Array.of(0, 3, 0, 0))).toThrow("refers to a text");
});
