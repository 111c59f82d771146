/**
 * A Service for the API's own tests: programs run on one plain SQLite in memory, and a stream that
 * holds a transaction has the connection to itself until it ends. No node, no log.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { SkeinError } from "../../../../client/src/errors.ts";
import { initialConfiguration } from "../../consensus/configuration.ts";
import type {
	Condition,
	Program,
	ProgramOutcome,
	Statement,
	StatementFailure,
	StatementResult,
	Value,
} from "../../database/program.ts";
import type { RequestOptions, Service, Stream } from "../../node/service.ts";

export interface MemoryService extends Service {
	/** Every program that was run, in order, with its options. */
	readonly programs: readonly { readonly program: Program; readonly options: RequestOptions }[];
	/** The next program fails with this as a whole, and the transaction that is open ends with it. */
	failNext(error: Error): void;
	/** Programs wait until the returned function is called. */
	hold(): () => void;
	setReadiness(ready: boolean, reason: string): void;
	/** Streams that were opened and not closed. */
	openStreams(): number;
}

export function createMemoryService(nodeId = "n1"): MemoryService {
	const database = new DatabaseSync(":memory:");
	const programs: { program: Program; options: RequestOptions }[] = [];
	let owner: object | null = null;
	let waiting: (() => void)[] = [];
	let held: Promise<void> | null = null;
	let nextError: Error | null = null;
	let readiness = { ready: true, reason: "" };
	let index = 0;
	let open = 0;

	async function own(stream: object): Promise<void> {
		while (owner !== null && owner !== stream) await new Promise<void>((resolve) => waiting.push(resolve));
		owner = stream;
	}

	function release(): void {
		owner = null;
		const woken = waiting;
		waiting = [];
		for (const wake of woken) wake();
	}

	function openStream(): Stream {
		const self = {};
		let autocommit = true;
		let foreignKeys = true;
		let isClosed = false;
		open++;
		return {
			async run(program, options) {
				if (isClosed) throw new Error("the stream is closed");
				programs.push({ program, options });
				if (held !== null) await held;
				if (nextError !== null) {
					const error = nextError;
					nextError = null;
					if (!autocommit) endTransaction();
					throw error;
				}
				await own(self);
				const outcome = runProgram(database, program, foreignKeys);
				({ autocommit, foreignKeys } = outcome);
				if (autocommit) release();
				index++;
				const isRead = /^\s*select/i.test(program.steps[0]?.statement.sql ?? "");
				return {
					outcome,
					position: { term: 1, index },
					stalenessMs: isRead ? 3.25 : null,
					inSync: isRead ? true : null,
					replayed: false,
					acknowledgement: isRead ? null : { mode: "quorum" },
				};
			},
			async describe(sql) {
				try {
					const statement = database.prepare(sql);
					return {
						parameters: [...sql.matchAll(/[?:@$]\w*/g)].map(([name]) => ({
							name: name === "?" ? null : name,
						})),
						columns: columnsOf(statement),
						isExplain: false,
						isReadonly: /^\s*select/i.test(sql),
					};
				} catch (error) {
					throw new SkeinError(error instanceof Error ? error.message : String(error), {
						code: "SQLITE_ERROR",
					});
				}
			},
			get autocommit() {
				return autocommit;
			},
			get disposable() {
				return autocommit && foreignKeys;
			},
			async close() {
				if (isClosed) return;
				isClosed = true;
				open--;
				if (owner === self) endTransaction();
			},
		};

		function endTransaction(): void {
			autocommit = true;
			if (database.isTransaction) database.exec("ROLLBACK");
			release();
		}
	}

	return {
		nodeId,
		programs,
		openStream,
		failNext(error) {
			nextError = error;
		},
		hold() {
			let letGo = (): void => {};
			held = new Promise((resolve) => {
				letGo = resolve;
			});
			return () => {
				held = null;
				letGo();
			};
		},
		setReadiness(ready, reason) {
			readiness = { ready, reason };
		},
		openStreams: () => open,
		async cluster() {
			return { cluster: "test", node: nodeId, version: "0.0.0", databases: {} };
		},
		ownView: () => ({ cluster: "test", node: nodeId, version: "0.0.0", databases: {} }),
		readiness: () => readiness,
		async transfer(to, dryRun = false) {
			return { changed: !dryRun, leader: to ?? "n2", pausedMs: 1 };
		},
		async stepDown({ dryRun }) {
			return { changed: !dryRun, from: nodeId, leader: "n2", pausedMs: 1 };
		},
		async pauseElections({ forMs, dryRun }) {
			return { changed: !dryRun, pausedForMs: forMs, told: [nodeId], notTold: ["n2"] };
		},
		async stand({ node, dryRun }) {
			return { changed: !dryRun, leader: node ?? nodeId };
		},
		async changeMembers({ changes, dryRun }) {
			const members = initialConfiguration(
				[nodeId, ...changes.flatMap((one) => (one.change === "elector" ? [] : [one.id]))].map((id) => ({
					id,
					peer: `${id}:1`,
				})),
			);
			return { changed: !dryRun, members };
		},
		async explain(sql, format) {
			return { format: format ?? "row", statements: [{ sql, logged: "rows", reasons: ["a test"] }] };
		},
		async changeSetting() {
			return { index: 9 };
		},
	};
}

function runProgram(database: DatabaseSync, program: Program, foreignKeys: boolean): ProgramOutcome {
	if (!database.isTransaction) database.exec(`PRAGMA foreign_keys=${foreignKeys ? "on" : "off"}`);
	const results: (StatementResult | null)[] = [];
	const errors: (StatementFailure | null)[] = [];
	for (const { condition, statement } of program.steps) {
		let result: StatementResult | null = null;
		let failure: StatementFailure | null = null;
		if (condition === null || holds(condition, results, errors, database)) {
			try {
				result = runStatement(database, statement);
			} catch (error) {
				failure = failureOf(error);
			}
		}
		results.push(result);
		errors.push(failure);
	}
	const state = database.prepare("PRAGMA foreign_keys").get() as { foreign_keys: number };
	return { results, errors, autocommit: !database.isTransaction, foreignKeys: state.foreign_keys === 1 };
}

function holds(
	condition: Condition,
	results: readonly (StatementResult | null)[],
	errors: readonly (StatementFailure | null)[],
	database: DatabaseSync,
): boolean {
	switch (condition.type) {
		case "ok":
			return (results[condition.step] ?? null) !== null;
		case "error":
			return (errors[condition.step] ?? null) !== null;
		case "not":
			return !holds(condition.condition, results, errors, database);
		case "and":
			return condition.conditions.every((each) => holds(each, results, errors, database));
		case "or":
			return condition.conditions.some((each) => holds(each, results, errors, database));
		case "is-autocommit":
			return !database.isTransaction;
		default: {
			const never: never = condition;
			return never;
		}
	}
}

function runStatement(
	database: DatabaseSync,
	{ sql, arguments: values, namedArguments }: Statement,
): StatementResult {
	const statement = database.prepare(sql);
	statement.setReadBigInts(true);
	statement.setReturnArrays(true);
	const named: Record<string, Value> = {};
	for (const { name, value } of namedArguments) named[name] = value;
	const all = (statement as unknown as { all(...parameters: unknown[]): Value[][] }).all.bind(statement);
	const rows = namedArguments.length > 0 ? all(named) : all(...values);
	const isChange = /^\s*(insert|update|delete|replace|with)\b/i.test(sql);
	const counters = database.prepare("SELECT changes() AS changes, last_insert_rowid() AS rowid");
	counters.setReadBigInts(true);
	const { changes, rowid } = counters.get() as { changes: bigint; rowid: bigint };
	return {
		columns: columnsOf(statement),
		rows,
		changes: isChange ? Number(changes) : 0,
		lastInsertRowid: /^\s*(insert|replace)\b/i.test(sql) ? rowid : null,
	};
}

function columnsOf(statement: StatementSync): StatementResult["columns"] {
	return statement.columns().map(({ name, type }) => ({ name, declaredType: type }));
}

function failureOf(error: unknown): StatementFailure {
	const message = error instanceof Error ? error.message : String(error);
	const isUnique = message.startsWith("UNIQUE");
	return {
		message,
		code: message.includes("constraint failed") ? "SQLITE_CONSTRAINT" : "SQLITE_ERROR",
		extendedCode: isUnique ? "SQLITE_CONSTRAINT_UNIQUE" : undefined,
	};
}
