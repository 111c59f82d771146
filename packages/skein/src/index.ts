// open(): a member of a cluster inside your own process: its reads and writes are function calls, no HTTP between.
import { SkeinError } from "../../client/src/errors.ts";
import type { Acknowledgement, ConsistencyText, Result, StatementInput } from "../../client/src/index.ts";
import { type Argument, type Arguments, encodeArgument, type Value } from "../../client/src/values.ts";
import type { Acknowledgement as ConsensusAcknowledgement } from "./consensus/acknowledge/acknowledgement.ts";
import { defaultConsensusSettings } from "./consensus/settings.ts";
import { type ElectorName, electorNames, type Position } from "./consensus/types.ts";
import { acknowledgementForms, parseAcknowledgement } from "./database/acknowledgement-text.ts";
import type { Program, Statement, StatementResult, Value as StoredValue } from "./database/program.ts";
import { parseConsistency } from "./node/consistency.ts";
import type { Answer, ClusterView, RequestOptions } from "./node/service.ts";
import { afterFailure, formatToken, laterOf, parseToken } from "./node/session-token.ts";
import type { Logger } from "./world/logger.ts";

export { type Outcome, SkeinError, type SkeinErrorCode } from "../../client/src/errors.ts";
export type { Acknowledgement, ConsistencyText, Result, StatementInput } from "../../client/src/index.ts";
export type { Argument, Arguments, Value } from "../../client/src/values.ts";
export type { ClusterView } from "./node/service.ts";
export type { LogFields, Logger } from "./world/logger.ts";

export interface OpenOptions {
	/** This member's id; never changes, never used again for another member. */
	readonly id: string;
	/** The directory where this member keeps everything. */
	readonly data: string;
	/** Where other clients reach this member over HTTP. Default: 127.0.0.1, port 8080. */
	readonly listen?: { readonly host: string; readonly port: number };
	/** Where the other members reach it. Default: 127.0.0.1, port 18080. */
	readonly peer?: { readonly host: string; readonly port: number };
	/** All first members by their peer addresses ("10.0.0.1:18080"). Default: this one alone. */
	readonly cluster?: Readonly<Record<string, string>>;
	readonly clusterId?: string;
	/** What all members share to know each other. */
	readonly secret?: string;
	readonly advertiseUrl?: string;
	/**
	 * In a new cluster, when writes are answered that do not say so. Default "quorum"; "async" and "semi-sync" can lose
	 * them. Later it is a setting of the cluster: `skein mode`.
	 */
	readonly acknowledgement?: Acknowledgement;
	/**
	 * Who stands for leadership, and when. The first leader writes it to the log; then that counts, and it is changed with
	 * `skein elector`. Default "raft".
	 */
	readonly elector?: Elector;
	/** Default: says nothing. */
	readonly logger?: Logger;
}

export interface ExecuteOptions {
	readonly timeoutMs?: number;
	/** What a read promises; default "linearizable". "eventual" reads what this member has, at once. */
	readonly consistency?: ConsistencyText;
	/** For "session": what has been seen, the `session` of a result. Default: all that was asked of this member object. */
	readonly session?: string;
	/** Makes a write safe to send again after an unknown outcome. */
	readonly idempotencyKey?: string;
	/** When a write is answered. Default: as is chosen for the cluster. */
	readonly acknowledgement?: Acknowledgement;
}

export interface Member {
	readonly id: string;
	/** Where other clients reach this member. */
	readonly url: string;
	/** Runs one statement; a write goes to the leader, wherever that is. */
	execute(sql: string, args?: Arguments, options?: ExecuteOptions): Promise<Result>;
	/** Runs all statements in one transaction: all of them happen, or none. */
	batch(statements: readonly (string | StatementInput)[], options?: ExecuteOptions): Promise<Result[]>;
	/** The cluster as seen from here. */
	cluster(): Promise<ClusterView>;
	/** Hands leadership over, finishes what is in flight, and stops. */
	close(): Promise<void>;
	/** Resolves with the reason when the member had to stop by itself (a failing disk, say). */
	readonly failed: Promise<Error>;
}

export type Elector = ElectorName;

const defaultTimeoutMs = 30_000;
const defaultListen = { host: "127.0.0.1", port: 8080 };
const defaultPeer = { host: "127.0.0.1", port: 18_080 };

/**
 * Starts a member in this process.
 *
 *     const member = await open({ id: "n1", data: "./geese" });
 *     await member.execute("insert into goose (name) values (?)", ["Akka"]);
 */
export async function open(options: OpenOptions): Promise<Member> {
	const [{ startNode }, { silentLogger }, { skeinVersion }] = await Promise.all([
		import("./server/start-node.ts"),
		import("./world/logger.ts"),
		import("./cli/version.ts"),
	]);
	const acknowledgement = acknowledgementOf(options.acknowledgement);
	const peer = options.peer ?? defaultPeer;
	const cluster = options.cluster ?? { [options.id]: `${peer.host}:${peer.port}` };
	const node = await startNode({
		id: options.id,
		version: skeinVersion(),
		dataDirectory: options.data,
		listen: options.listen ?? defaultListen,
		peer,
		cluster: Object.entries(cluster).map(([id, address]) => ({ id, peer: address })),
		join: null,
		clusterId: options.clusterId ?? null,
		secret: options.secret ?? null,
		advertiseUrl: options.advertiseUrl ?? null,
		logger: options.logger ?? silentLogger,
		settings: {
			...(acknowledgement === null ? {} : { acknowledgement }),
			consensus: { ...defaultConsensusSettings, elector: electorOf(options.elector) },
		},
	});

	/** What was seen by all that was asked here. */
	let seen: Position | null = null;
	const run = async (program: Program, given: ExecuteOptions): Promise<Answer> => {
		const stream = node.service.openStream();
		const request = requestOptions(given, seen);
		try {
			const answer = await stream.run(program, request);
			seen = laterOf(seen, answer.position);
			return answer;
		} catch (error) {
			const { consistency } = request;
			if (consistency.level === "session") seen = afterFailure(seen, consistency.token, error);
			throw error;
		} finally {
			await stream.close();
		}
	};

	return {
		id: options.id,
		url: node.url,
		failed: node.failed,
		async execute(sql, args, given = {}) {
			const answer = await run({ steps: [{ condition: null, statement: statement(sql, args) }] }, given);
			return resultAt(answer, 0);
		},
		async batch(statements, given = {}) {
			const inputs = statements.map((one) => (typeof one === "string" ? { sql: one } : one));
			const answer = await run(transaction(inputs), given);
			return inputs.map((_, index) => resultAt(answer, index + 1));
		},
		cluster: () => node.service.cluster(),
		close: () => node.stop(),
	};
}

function requestOptions(given: ExecuteOptions, seen: Position | null): RequestOptions {
	const token = given.session === undefined ? seen : parseToken(given.session);
	return {
		consistency: parseConsistency(given.consistency ?? "linearizable", token),
		idempotencyKey: given.idempotencyKey ?? null,
		acknowledgement: acknowledgementOf(given.acknowledgement),
		timeoutMs: given.timeoutMs ?? defaultTimeoutMs,
	};
}

/** A name that nobody knows comes from callers without types. */
function electorOf(asked: Elector | undefined): ElectorName | null {
	if (asked === undefined || electorNames.includes(asked)) return asked ?? null;
	throw new SkeinError(`elector ${JSON.stringify(asked)}: it is one of ${electorNames.join(", ")}`, {
		code: "BAD_REQUEST",
	});
}

function acknowledgementOf(text: Acknowledgement | undefined): ConsensusAcknowledgement | null {
	if (text === undefined) return null;
	const parsed = parseAcknowledgement(text);
	if (parsed === null)
		throw new SkeinError(`acknowledgement must be ${acknowledgementForms}, not ${text}`, {
			code: "BAD_REQUEST",
		});
	return parsed;
}

/** BEGIN, each statement if the one before succeeded, COMMIT or ROLLBACK. */
function transaction(inputs: readonly StatementInput[]): Program {
	const commit = inputs.length + 1;
	return {
		steps: [
			{ condition: null, statement: statement("BEGIN IMMEDIATE") },
			...inputs.map(({ sql, args }, index) => ({
				condition: { type: "ok" as const, step: index },
				statement: statement(sql, args),
			})),
			{ condition: { type: "ok", step: commit - 1 }, statement: statement("COMMIT") },
			{
				condition: { type: "not", condition: { type: "ok", step: commit } },
				statement: statement("ROLLBACK"),
			},
		],
	};
}

function statement(sql: string, args: Arguments = []): Statement {
	const isPositional = args instanceof Array;
	return {
		sql,
		arguments: isPositional ? args.map(storedValue) : [],
		namedArguments: isPositional
			? []
			: Object.entries(args).map(([name, value]) => ({ name, value: storedValue(value) })),
		wantRows: true,
	};
}

/** As over HTTP: a whole number is an INTEGER. */
function storedValue(argument: Argument): StoredValue {
	if (argument instanceof Uint8Array) return argument;
	const wire = encodeArgument(argument);
	switch (wire.type) {
		case "null":
			return null;
		case "integer":
			return BigInt(wire.value);
		case "float":
			return wire.value;
		case "text":
			if (wire.value.isWellFormed()) return wire.value;
			throw new SkeinError(
				"a text argument holds half of a surrogate pair: it is no Unicode text; send such bytes as a blob",
				{ code: "BAD_REQUEST" },
			);
		case "blob":
			return Buffer.from(wire.base64, "base64");
	}
}

/** The result of a step; else the failure that kept it from running. */
function resultAt(answer: Answer, step: number): Result {
	const { results, errors } = answer.outcome;
	const failure = errors.find((error) => error !== null);
	if (failure !== null && failure !== undefined) {
		throw new SkeinError(failure.message, { code: failure.code, extendedCode: failure.extendedCode });
	}
	const result = results[step];
	if (result === null || result === undefined) throw new Error(`step ${step} gave neither result nor error`);
	return publicResult(result, formatToken(answer.position));
}

function publicResult(result: StatementResult, session: string): Result {
	return {
		columns: result.columns.map((column) => column.name),
		columnTypes: result.columns.map((column) => column.declaredType),
		rows: result.rows.map((row) => row.map(publicValue)),
		changes: result.changes,
		lastInsertRowid: result.lastInsertRowid === null ? null : publicInteger(result.lastInsertRowid),
		session,
	};
}

function publicValue(value: StoredValue): Value {
	return typeof value === "bigint" ? publicInteger(value) : value;
}

function publicInteger(value: bigint): number | bigint {
	const number = Number(value);
	return Number.isSafeInteger(number) ? number : value;
}
