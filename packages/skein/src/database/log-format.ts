/** The log formats: what an entry of a client transaction holds. Chosen for each database, and changed by a logged entry. */

export const logFormats = ["row", "statement", "wal"] as const;
export type LogFormat = (typeof logFormats)[number];

/** Of a database for which nobody chose one. */
export const defaultLogFormat: LogFormat = "row";

export function isLogFormat(value: unknown): value is LogFormat {
	return logFormats.some((format) => format === value);
}
