// The one shape of a logger that every part is given; the command line makes the real one (pino).

/** What a log line carries besides its message: names with units, plain values. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
	debug(fields: LogFields, message: string): void;
	info(fields: LogFields, message: string): void;
	warn(fields: LogFields, message: string): void;
	error(fields: LogFields, message: string): void;
	/** A logger that adds these fields to every line. */
	child(fields: LogFields): Logger;
}

/** Says nothing: for tests, and for a member inside somebody else's process. */
export const silentLogger: Logger = {
	debug() {},
	info() {},
	warn() {},
	error() {},
	child: () => silentLogger,
};
