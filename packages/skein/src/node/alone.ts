/** Which requests cannot share a transaction, by what they are and by the log format that the leader captures in. */
import type { WriteRequest } from "../database/database.ts";
import { defaultLogFormat, type LogFormat } from "../database/log-format.ts";

export interface Alone {
	/** What is captured from now on. */
	captures(format: LogFormat): void;
	/** No other request is in its transaction. */
	is(request: WriteRequest): boolean;
	/** A batch was executed, and may have chosen another format. True: nothing may execute behind it before it is committed. */
	ends(batch: readonly { readonly request: WriteRequest }[]): boolean;
}

export function createAlone(mustRunAlone: (request: WriteRequest) => boolean): Alone {
	let format: LogFormat = defaultLogFormat;

	return {
		captures(captured) {
			format = captured;
		},
		// A group has one log format: a change of a setting is no part of any. In the format wal its pages are those of all that
		// shared its transaction, so a loss could not be reported for each.
		is: (request) =>
			request.interactive ||
			request.setting !== undefined ||
			mustRunAlone(request) ||
			(format === "wal" && request.note !== null),
		ends(batch) {
			const setting = batch[0]?.request.setting;
			if (setting?.name === "format") format = setting.value;
			// In the format wal a group has left SQLite's transaction when its pages are read (database/changes/wal.ts).
			return format === "wal" || batch.some(({ request }) => mustRunAlone(request));
		},
	};
}
