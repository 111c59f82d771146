/** POST /explain: how statements would be logged, and why. Answered by the node that is asked, for its schema. */
import type { LogExplanation } from "../database/explanation.ts";
import { isLogFormat, logFormats } from "../database/log-format.ts";
import type { Service } from "../node/service.ts";
import { badRequest } from "./errors.ts";
import { isRecord } from "./hrana/values.ts";
import type { ApiLimits } from "./limits.ts";
import { createSqlBudget } from "./sql-budget.ts";

const shape = `the body must be {"sql": "…"}, with "format": ${logFormats.map((format) => `"${format}"`).join(" | ")} if not the database's own is meant`;

export function runExplain(service: Service, limits: ApiLimits, body: unknown): Promise<LogExplanation> {
	if (!isRecord(body)) throw badRequest(shape);
	const unknown = Object.keys(body).find((key) => key !== "sql" && key !== "format");
	const { sql, format = null } = body;
	if (unknown !== undefined || typeof sql !== "string") throw badRequest(shape);
	if (format !== null && !isLogFormat(format)) throw badRequest(shape);
	createSqlBudget(limits).take(sql);
	return service.explain(sql, format);
}
