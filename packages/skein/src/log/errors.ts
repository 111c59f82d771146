/** What a log can fail with, for callers that must tell the cases apart. */

/** What is on disk was valid once and is not any more: this member must not serve or vote from it. */
export class LogCorruptionError extends Error {
	override readonly name = "LogCorruptionError";
	/** Path of the file, relative to the data directory. */
	readonly file: string;
	readonly offset: number;

	constructor(file: string, offset: number, reason: string) {
		super(`the log is damaged: ${file} at byte ${offset}: ${reason}`);
		this.file = file;
		this.offset = offset;
	}
}

/** A write or sync failed, now or before: what the page cache holds cannot be trusted. The process must end. */
export class LogFailedError extends Error {
	override readonly name = "LogFailedError";
}

/** The entry is not in the log (any more): it was compacted away or cut. */
export class EntryAbsentError extends Error {
	override readonly name = "EntryAbsentError";
}

/** The data directory belongs to another node or cluster than was asked for, or to nobody. */
export class LogIdentityError extends Error {
	override readonly name = "LogIdentityError";
}
