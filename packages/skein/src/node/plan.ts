/** What can be told about a program before it runs: whether it reads only, and what it does to transactions. */

import type { BeginMode, ParsedStatement, StatementKind } from "../database/parsed-statement.ts";
import type { Program } from "../database/program.ts";
import { parseStatement } from "../database/sql.ts";
import { type Reach, reachOf } from "./program-parts.ts";

export interface ProgramPlan {
	/** No step can write: any reader will do. */
	readonly onlyReads: boolean;
	/** Some step opens a transaction. */
	readonly begins: boolean;
	/** How, if the first step does; anything less plain counts as immediate. */
	readonly beginMode: BeginMode;
	/** Some step may change the schema. */
	readonly changesSchema: boolean;
	/** If every step runs, a transaction is open afterwards. */
	readonly mayStayOpen: boolean;
	/** Where no transaction is open before. Cut only if one may be open afterwards: else all of it is answered for at its end. */
	readonly outside: Reach;
	/** Where one is open before. */
	readonly inside: Reach;
}

/** What a plan needs of a statement. */
type PlannedStatement = Pick<ParsedStatement, "kind" | "beginMode">;

export interface Planner {
	plan(program: Program): ProgramPlan;
}

/** Plans of one-statement programs, and statements of longer ones, by their text: few texts are most of all requests. */
const maxCached = 2_000;
const maxCachedSqlLength = 4_000;

export function createPlanner(): Planner {
	const cache = new Map<string, ProgramPlan>();
	const statements = new Map<string, PlannedStatement>();

	function parse(sql: string): PlannedStatement {
		if (sql.length > maxCachedSqlLength) return parseStatement(sql);
		const known = statements.get(sql);
		if (known !== undefined) return known;
		const { kind, beginMode } = parseStatement(sql);
		const parsed = { kind, beginMode };
		if (statements.size >= maxCached) statements.clear();
		statements.set(sql, parsed);
		return parsed;
	}

	return {
		plan(program) {
			const only = program.steps.length === 1 ? program.steps[0]?.statement.sql : undefined;
			if (only === undefined) return planOf(program, parse);
			if (only.length > maxCachedSqlLength) return planOf(program, parseStatement);
			const known = cache.get(only);
			if (known !== undefined) return known;
			const plan = planOf(program, parseStatement);
			if (cache.size >= maxCached) cache.clear();
			cache.set(only, plan);
			return plan;
		},
	};
}

function planOf(program: Program, parse: (sql: string) => PlannedStatement): ProgramPlan {
	let onlyReads = true;
	let begins = false;
	let beginMode: BeginMode = "deferred";
	let open = false;
	const kinds: StatementKind[] = [];
	for (const [number, step] of program.steps.entries()) {
		const parsed = parse(step.statement.sql);
		kinds.push(parsed.kind);
		switch (parsed.kind) {
			case "read":
				break;
			case "begin":
				begins = true;
				open = true;
				beginMode = number === 0 ? parsed.beginMode : "immediate";
				if (beginMode !== "deferred" && beginMode !== "readonly") onlyReads = false;
				break;
			case "savepoint":
				begins = true;
				open = true;
				beginMode = "immediate";
				onlyReads = false;
				break;
			case "commit":
			case "rollback":
				open = false;
				break;
			default:
				onlyReads = false;
		}
	}
	const outside = reachOf(program.steps, kinds, false);
	return {
		onlyReads,
		begins,
		beginMode,
		changesSchema: kinds.includes("schema"),
		mayStayOpen: open,
		outside: open ? outside : { ...outside, cuts: [] },
		inside: reachOf(program.steps, kinds, true),
	};
}
