/** The bytes of every message: frozen, round trip, and what is not a message. */
import { readFileSync, writeFileSync } from "node:fs";
import fastCheck from "fast-check";
import { expect, test } from "vitest";
import type { Acknowledgement } from "../../consensus/acknowledge/acknowledgement.ts";
import type { Condition, Value } from "../../database/program.ts";
import type { PeerMessage } from "../message.ts";
import { samples } from "./message.samples.ts";
import { decodeMessage, encodeMessage, wireVersion } from "./message.ts";
import { WireError } from "./wire-error.ts";
import { wireVersions } from "./wire-version.ts";

const goldenFile = (version: number): URL => new URL(`golden/messages-${version}.hex`, import.meta.url);

function hex(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString("hex");
}

function errorOf(action: () => unknown): WireError {
	try {
		action();
	} catch (error) {
		if (error instanceof WireError) return error;
		throw error;
	}
	throw new Error("no error");
}

// Run with UPDATE_GOLDEN=1 after adding a message. Never to make a changed one pass: that is a new wire version.
test("the bytes of every message are those of the golden file", () => {
	for (let version = wireVersions.oldest; version <= wireVersions.newest; version++) {
		const file = goldenFile(version);
		const lines = Object.entries(samples).map(
			([name, message]) => `${name}: ${hex(encodeMessage(message, version))}\n`,
		);
		if (process.env["UPDATE_GOLDEN"]) writeFileSync(file, lines.join(""));
		expect(lines.join("")).toBe(readFileSync(file, "utf8"));
	}
	expect(new Set(Object.values(samples).map((message) => message.type)).size).toBe(25);
});

test.each(Object.entries(samples))("%s: there and back", (_, message) => {
	const bytes = encodeMessage(message);
	expect(decodeMessage(bytes)).toEqual(message);
	// Also from the middle of a larger Buffer, as it comes from a socket.
	const frame = Buffer.concat([Buffer.of(1, 2, 3), bytes, Buffer.of(4)]);
	expect(decodeMessage(frame.subarray(3, 3 + bytes.length))).toEqual(message);
});

test.each(Object.entries(samples))("%s: cut or lengthened anywhere is a WireError", (_, message) => {
	const bytes = encodeMessage(message);
	for (let length = 0; length < bytes.length; length++) {
		expect(errorOf(() => decodeMessage(bytes.subarray(0, length))).reason).toBe("malformed");
	}
	expect(errorOf(() => decodeMessage(Buffer.concat([bytes, Buffer.of(0)]))).message).toMatch("after the end");
});

test.each(Object.entries(samples))(
	"%s: there and back in every version, but for what an older one lacks",
	(_, message) => {
		for (let version = wireVersions.oldest; version <= wireVersions.newest; version++) {
			const lacks =
				version < 7 && message.type === "status" ? { wire: { oldest: version, newest: version } } : {};
			expect(decodeMessage(encodeMessage(message, version))).toEqual({ ...message, ...lacks });
		}
	},
);

test("payloads of entries and blobs do not share memory with the received bytes", () => {
	for (const name of ["append-request", "chain-append", "run-request"]) {
		const sample = samples[name];
		if (sample === undefined) throw new Error("no sample");
		const received = Buffer.from(encodeMessage(sample));
		const decoded = decodeMessage(received);
		received.fill(0);
		expect(decoded).toEqual(sample);
	}
});

const value: fastCheck.Arbitrary<Value> = fastCheck.oneof(
	fastCheck.constant(null),
	fastCheck.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
	fastCheck.double(),
	fastCheck.string({ unit: "binary", maxLength: 30 }),
	fastCheck.uint8Array(),
);
const safe = fastCheck.maxSafeNat();
const position = fastCheck.record({ term: safe, index: safe });
const name = fastCheck.stringMatching(/^[a-zA-Z0-9._-]{1,64}$/);
const header = { group: fastCheck.nat(0xffff_ffff), from: name, to: name };
const entry = fastCheck.record({
	index: safe,
	term: safe,
	kind: fastCheck.constantFrom("barrier", "configuration", "command", "fragment", "metadata"),
	payload: fastCheck.uint8Array(),
});
const condition = fastCheck.letrec<{ condition: Condition }>((tie) => ({
	condition: fastCheck.oneof(
		{ maxDepth: 5 },
		fastCheck.record({ type: fastCheck.constantFrom("ok", "error"), step: safe }),
		fastCheck.record({ type: fastCheck.constant("is-autocommit") }),
		fastCheck.record({ type: fastCheck.constant("not"), condition: tie("condition") }),
		fastCheck.record({
			type: fastCheck.constantFrom("and", "or"),
			conditions: fastCheck.array(tie("condition"), { maxLength: 3 }),
		}),
	),
})).condition;
const text = fastCheck.string({ unit: "binary", maxLength: 30 });
const statement = fastCheck.record({
	sql: text,
	arguments: fastCheck.array(value),
	namedArguments: fastCheck.array(fastCheck.record({ name: text, value })),
	wantRows: fastCheck.boolean(),
});
const result = fastCheck.record({
	columns: fastCheck.array(fastCheck.record({ name: text, declaredType: fastCheck.option(text) })),
	rows: fastCheck.array(fastCheck.array(value), { maxLength: 4 }),
	changes: safe,
	lastInsertRowid: fastCheck.option(fastCheck.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
});
const anyAcknowledgement = fastCheck.oneof(
	fastCheck.constantFrom<Acknowledgement>({ mode: "async" }, { mode: "quorum" }, { mode: "chain" }),
	fastCheck.record({
		mode: fastCheck.constant("semi-sync" as const),
		followers: fastCheck.integer({ min: 1 }),
	}),
);
const anyMessage: fastCheck.Arbitrary<PeerMessage> = fastCheck.oneof(
	fastCheck.record({
		...header,
		type: fastCheck.constant("append-request"),
		term: safe,
		previous: position,
		entries: fastCheck.array(entry),
		commitIndex: safe,
	}),
	fastCheck.record({
		...header,
		type: fastCheck.constant("chain-append"),
		term: safe,
		leader: name,
		route: fastCheck.array(name, { maxLength: 6 }),
		previous: position,
		entries: fastCheck.array(entry),
		commitIndex: safe,
	}),
	fastCheck.record({
		...header,
		type: fastCheck.constant("heartbeat-request"),
		term: safe,
		commitIndex: safe,
		endsReads: fastCheck.boolean(),
		round: safe,
		lease: fastCheck.option(
			fastCheck.record({
				round: safe,
				durationMs: safe,
				index: safe,
				reads: fastCheck.option(
					fastCheck.record({ durationMs: safe, index: safe, tail: fastCheck.boolean() }),
				),
			}),
		),
	}),
	fastCheck.record({
		...header,
		type: fastCheck.constant("run-request"),
		requestId: safe,
		streamId: safe,
		inTransaction: fastCheck.boolean(),
		foreignKeys: fastCheck.boolean(),
		program: fastCheck.record({
			steps: fastCheck.array(fastCheck.record({ condition: fastCheck.option(condition), statement }), {
				maxLength: 4,
			}),
		}),
		interactive: fastCheck.boolean(),
		snapshotIndex: fastCheck.option(safe),
		idempotencyKey: fastCheck.option(text),
		acknowledgement: fastCheck.option(anyAcknowledgement),
		timeoutMs: fastCheck.double({ min: 0, noNaN: true }),
	}),
	fastCheck.record({
		...header,
		type: fastCheck.constant("run-response"),
		requestId: safe,
		result: fastCheck.record({
			ok: fastCheck.constant(true as const),
			position,
			replayed: fastCheck.boolean(),
			acknowledgement: anyAcknowledgement,
			outcome: fastCheck.record({
				results: fastCheck.array(fastCheck.option(result), { maxLength: 3 }),
				errors: fastCheck.array(
					fastCheck.option(
						fastCheck.record({
							message: text,
							code: text,
							extendedCode: fastCheck.option(text, { nil: undefined }),
						}),
					),
				),
				autocommit: fastCheck.boolean(),
				foreignKeys: fastCheck.boolean(),
			}),
		}),
	}),
	fastCheck.record({
		...header,
		type: fastCheck.constant("snapshot-chunk"),
		sha256: text,
		offset: safe,
		checksum: fastCheck.nat(0xffff_ffff),
		bytes: fastCheck.uint8Array(),
	}),
);

test("any message: there and back", () => {
	fastCheck.assert(
		fastCheck.property(anyMessage, (message) => {
			expect(decodeMessage(encodeMessage(message))).toEqual(message);
		}),
		{ numRuns: 150 },
	);
});

test("random bytes, and messages with bytes changed, are a message or a WireError, nothing else", () => {
	const attempt = (bytes: Uint8Array): void => {
		try {
			decodeMessage(bytes);
		} catch (error) {
			expect(error).toBeInstanceOf(WireError);
		}
	};
	const all = Object.values(samples).map((message) => encodeMessage(message));
	fastCheck.assert(
		fastCheck.property(fastCheck.nat(40), fastCheck.uint8Array({ maxLength: 80 }), (type, body) => {
			attempt(Uint8Array.of(wireVersion, type, 1, 0, 0, 0, 1, 97, 1, 98, ...body));
			attempt(body);
		}),
		{ numRuns: 500 },
	);
	fastCheck.assert(
		fastCheck.property(
			fastCheck.constantFrom(...all),
			fastCheck.array(fastCheck.tuple(fastCheck.nat(), fastCheck.nat(255)), { minLength: 1, maxLength: 3 }),
			(message, changes) => {
				const bytes = message.slice();
				for (const [place, byte] of changes) bytes[place % bytes.length] = byte;
				attempt(bytes);
			},
		),
		{ numRuns: 1000 },
	);
});

test("an unknown version and an unknown type have reasons of their own", () => {
	const bytes = encodeMessage({ type: "timeout-now", group: 1, from: "a", to: "b", term: 1 });
	for (const version of [0, wireVersions.oldest - 1, wireVersions.newest + 1, 99]) {
		expect(errorOf(() => decodeMessage(bytes.with(0, version))).reason).toBe("unknown-version");
		expect(errorOf(() => encodeMessage(samples["status"] as PeerMessage, version)).reason).toBe(
			"unknown-version",
		);
	}
	expect(errorOf(() => decodeMessage(bytes.with(1, 99))).reason).toBe("unknown-type");
});

test("lengths and counts are compared with what is there before anything is allocated", () => {
	const header = [wireVersion, 5, 1, 0, 0, 0, 1, 97, 1, 98];
	const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
	const list = errorOf(() => decodeMessage(Uint8Array.of(...header, 1, 1, 1, 1, ...huge)));
	expect(list.message).toMatch("a list of 9007199254740991 elements in 0 bytes");
	const payload = errorOf(() => decodeMessage(Uint8Array.of(...header, 1, 1, 1, 1, 1, 1, 1, 2, ...huge)));
	expect(payload.message).toMatch(/9007199254740991 bytes expected/);
	const above = errorOf(() => decodeMessage(Uint8Array.of(...header, ...huge.with(7, 0x1f))));
	expect(above.message).toMatch("2^53-1");
	const long = errorOf(() => decodeMessage(Uint8Array.of(...header, 0x81, 0x00)));
	expect(long.message).toMatch("shortest");
});

test("nesting is bounded both ways", () => {
	let deep: Condition = { type: "is-autocommit" };
	for (let depth = 0; depth < 200; depth++) deep = { type: "not", condition: deep };
	const statement = { sql: "", arguments: [], namedArguments: [], wantRows: false };
	const request = samples["run-request"];
	if (request?.type !== "run-request") throw new Error("no sample");
	const message = { ...request, program: { steps: [{ condition: deep, statement }] } };
	expect(errorOf(() => encodeMessage(message)).reason).toBe("not-encodable");
	const shallow = {
		...request,
		program: { steps: [{ condition: { type: "is-autocommit" } as const, statement }] },
	};
	const bytes = hex(encodeMessage(shallow));
	expect(bytes).toMatch(/01010500000000$/);
	const nested = Buffer.from(bytes.replace(/01010500000000$/, `0101${"02".repeat(50_000)}0500000000`), "hex");
	expect(errorOf(() => decodeMessage(nested)).message).toMatch("nested deeper");
});

test("what cannot be said is refused at the sender", () => {
	const message = { type: "timeout-now", group: 1, from: "a", to: "b", term: 1 } as const;
	for (const wrong of [
		{ term: -1 },
		{ term: 1.5 },
		{ term: 2 ** 53 },
		{ group: 2 ** 32 },
		{ to: "" },
		{ to: "ä" },
	]) {
		expect(errorOf(() => encodeMessage({ ...message, ...wrong })).reason).toBe("not-encodable");
	}
});
