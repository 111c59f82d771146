/** The statement format: SQL and its arguments. So far everything is in doubt, and logged as rows. */
import type { ChangeFormat } from "./format.ts";
import { payloadCodes } from "./payload.ts";
import type { RowFormat } from "./row.ts";

const payloadCode = payloadCodes.statement;

export function createStatementFormat(row: RowFormat): ChangeFormat {
	return {
		name: "statement",
		payloadCode,
		// Both formats share what hangs on the connection: the row format readies it.
		prepareToCapture() {},
		beginCapture: (connection) => row.beginMixedCapture(connection, payloadCode),
		prepareToApply() {},
		apply: (connection, payload) => row.applyMixed(connection, payload, payloadCode),
		applyRolledBack() {},
	};
}
