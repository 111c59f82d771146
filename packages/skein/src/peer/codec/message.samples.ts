/** One message of every type and every variant, for the tests of the codec. */
import type { PeerMessage } from "../message.ts";

const envelope = { group: 1, from: "n1", to: "n2" } as const;
const failure = {
	code: "NO_LEADER",
	message: "no leader",
	outcome: "did-not-happen",
	extendedCode: null,
	notLeader: true,
} as const;
const sha256 = "ab".repeat(32);

export const samples: Readonly<Record<string, PeerMessage>> = {
	"pre-vote-request": { ...envelope, type: "pre-vote-request", term: 8, last: { term: 7, index: 1042 } },
	"pre-vote-response": {
		...envelope,
		type: "pre-vote-response",
		term: 7,
		askedTerm: 8,
		granted: true,
	},
	"vote-request": {
		...envelope,
		type: "vote-request",
		term: 8,
		last: { term: 7, index: 1042 },
		transfer: true,
	},
	"vote-response": { ...envelope, type: "vote-response", term: 8, granted: false },
	"append-request": {
		...envelope,
		type: "append-request",
		term: 8,
		previous: { term: 7, index: 1042 },
		entries: [
			{ index: 1043, term: 8, kind: "barrier", payload: new Uint8Array(0) },
			{ index: 1044, term: 8, kind: "configuration", payload: Uint8Array.of(123, 125) },
			{ index: 1045, term: 8, kind: "fragment", payload: Uint8Array.of(1, 2, 3) },
			{ index: 1046, term: 8, kind: "command", payload: Uint8Array.of(255) },
		],
		commitIndex: 1042,
	},
	"append-response accepted": {
		...envelope,
		type: "append-response",
		term: 8,
		result: { accepted: true, matchIndex: Number.MAX_SAFE_INTEGER },
	},
	"append-response refused": {
		...envelope,
		type: "append-response",
		term: 8,
		result: { accepted: false, previousIndex: 1042, hint: { term: 6, index: 1000 } },
	},
	"heartbeat-request": { ...envelope, type: "heartbeat-request", term: 8, commitIndex: 1042, round: 70000 },
	"heartbeat-response": { ...envelope, type: "heartbeat-response", term: 8, round: 70000, lastIndex: 1046 },
	"timeout-now": { ...envelope, group: 0xffff_ffff, type: "timeout-now", term: 8 },
	"read-index-request": { ...envelope, type: "read-index-request", term: 8, readId: 5_000_000_000 },
	"read-index-response": {
		...envelope,
		type: "read-index-response",
		term: 8,
		readId: 5_000_000_000,
		index: 9,
	},
	"run-request": {
		...envelope,
		type: "run-request",
		requestId: 17,
		streamId: 3,
		inTransaction: true,
		foreignKeys: false,
		interactive: true,
		snapshotIndex: 1042,
		idempotencyKey: "key-ä",
		timeoutMs: 1500.5,
		program: {
			steps: [
				{
					condition: null,
					statement: {
						sql: "INSERT INTO t VALUES (?, ?, ?, ?, ?)",
						arguments: [null, -9223372036854775808n, 1.5, "\ufeffgänse", Uint8Array.of(0, 255)],
						namedArguments: [{ name: ":a", value: 1n }],
						wantRows: true,
					},
				},
				{
					condition: {
						type: "and",
						conditions: [
							{ type: "ok", step: 0 },
							{ type: "not", condition: { type: "error", step: 0 } },
							{ type: "or", conditions: [{ type: "is-autocommit" }] },
						],
					},
					statement: { sql: "COMMIT", arguments: [], namedArguments: [], wantRows: false },
				},
			],
		},
	},
	"run-response ok": {
		...envelope,
		type: "run-response",
		requestId: 17,
		result: {
			ok: true,
			position: { term: 8, index: 1050 },
			replayed: false,
			outcome: {
				results: [
					{
						columns: [
							{ name: "id", declaredType: "INTEGER" },
							{ name: "1+1", declaredType: null },
						],
						rows: [
							[1n, 2n],
							["x", null],
						],
						changes: 2,
						lastInsertRowid: 9223372036854775807n,
					},
					null,
					null,
				],
				errors: [
					null,
					{ message: "UNIQUE", code: "SQLITE_CONSTRAINT", extendedCode: "SQLITE_CONSTRAINT_UNIQUE" },
					{ message: "no", code: "UNSUPPORTED_SQL", extendedCode: undefined },
				],
				autocommit: true,
				foreignKeys: true,
			},
		},
	},
	"run-response failed": {
		...envelope,
		type: "run-response",
		requestId: 17,
		result: { ok: false, failure: { ...failure, extendedCode: "SQLITE_BUSY_SNAPSHOT" } },
	},
	"close-stream": { ...envelope, type: "close-stream", streamId: 3 },
	"call-request": {
		...envelope,
		type: "call-request",
		requestId: 18,
		operation: "transfer",
		body: '{"to":null}',
	},
	"call-request format": {
		...envelope,
		type: "call-request",
		requestId: 18,
		operation: "format",
		body: '"statement"',
	},
	"call-response ok": { ...envelope, type: "call-response", requestId: 18, result: { ok: true, body: "{}" } },
	"call-response failed": {
		...envelope,
		type: "call-response",
		requestId: 18,
		result: { ok: false, failure },
	},
	status: {
		...envelope,
		type: "status",
		role: "candidate",
		term: 8,
		url: "http://10.0.0.1:8080",
		version: "0.1.0",
		appliedIndex: 1041,
		commitIndex: 1042,
		ready: true,
	},
	"snapshot-offer": {
		...envelope,
		type: "snapshot-offer",
		term: 8,
		sha256,
		applied: { term: 7, index: 1000 },
		configurationIndex: 2,
		configuration: {
			members: [
				{ id: "n1", peer: "10.0.0.1:9080" },
				{ id: "n2", peer: "[::1]:9080" },
			],
			voters: ["n1", "n2"],
			outgoingVoters: ["n1"],
			learners: ["N_3.x-y"],
		},
		sizeBytes: 3_500_000_000,
	},
	"snapshot-want": { ...envelope, type: "snapshot-want", sha256, offset: 262144 },
	"snapshot-chunk": {
		...envelope,
		type: "snapshot-chunk",
		sha256,
		offset: 262144,
		checksum: 0xdead_beef,
		bytes: Uint8Array.of(9, 8, 7),
	},
	"snapshot-done": { ...envelope, type: "snapshot-done", sha256, failure: null },
	"snapshot-done failed": { ...envelope, type: "snapshot-done", sha256, failure: "disk full" },
};
