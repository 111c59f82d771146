import { expect, test } from "vitest";
import type { WriteOutcome, WriteRequest } from "./database.ts";
import { packRequest, packWriteOutcome, unpackRequest, unpackWriteOutcome } from "./packing.ts";

test("a request comes out of the other thread as it went in", () => {
	const request: WriteRequest = {
		program: {
			steps: [
				{
					condition: { type: "not", condition: { type: "ok", step: 0 } },
					statement: {
						sql: "INSERT INTO t VALUES (?, :a)",
						arguments: [null, 1n, -0, "x", Uint8Array.of(1, 2)],
						namedArguments: [{ name: "a", value: 2n ** 63n - 1n }],
						wantRows: false,
					},
				},
				{ condition: null, statement: { sql: "", arguments: [], namedArguments: [], wantRows: true } },
			],
		},
		foreignKeys: false,
		interactive: true,
		idempotencyKey: "key",
		note: { client: "n1/3", idempotencyKey: "key", wallTimeMs: 1, acknowledgement: { mode: "async" } },
		receivedAtMs: 1_700_000_000_000,
		timeoutMs: 5,
	};
	expect(unpackRequest(structuredClone(packRequest(request)))).toEqual(request);
});

test("an outcome comes back as it was: rows, failures and skipped steps", () => {
	const outcome: WriteOutcome = {
		outcome: {
			results: [
				{
					columns: [
						{ name: "a", declaredType: "TEXT" },
						{ name: "", declaredType: null },
					],
					rows: [
						["x", 1.5],
						[null, Uint8Array.of(7)],
					],
					changes: 3,
					lastInsertRowid: -1n,
				},
				null,
				null,
			],
			errors: [null, { code: "SQLITE_CONSTRAINT", message: "no", extendedCode: undefined }, null],
			autocommit: false,
			foreignKeys: true,
		},
		payload: Uint8Array.of(1, 2, 3),
		replayed: true,
	};
	expect(unpackWriteOutcome(structuredClone(packWriteOutcome(outcome)))).toEqual(outcome);
});
