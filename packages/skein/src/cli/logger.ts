// The real logger: pino, JSON lines or (on a terminal) pretty ones, on stderr, written in this thread.
import { type Logger as PinoLogger, pino } from "pino";
import type { LogFields, Logger } from "../world/logger.ts";

export interface LoggerOptions {
	readonly logLevel: "debug" | "info" | "warn" | "error";
	readonly logFormat: "auto" | "json" | "pretty";
}

export async function createLogger(options: LoggerOptions): Promise<Logger> {
	const isPretty =
		options.logFormat === "pretty" || (options.logFormat === "auto" && process.stderr.isTTY === true);
	const settings = {
		level: options.logLevel,
		base: null,
		timestamp: pino.stdTimeFunctions.isoTime,
		formatters: { level: (label: string) => ({ level: label }) },
		serializers: { error: pino.stdSerializers.err },
	};
	// Written at once, also from pino-pretty: a line that explains a crash must not stay in a buffer.
	const destination = pino.destination({ dest: 2, sync: true });
	// A terminal or parent that went away must not take the node with it.
	destination.on("error", () => {});
	if (!isPretty) return adapt(pino(settings, destination));
	// As a stream of this thread, not as a transport: a transport is a worker thread with a heap of its own.
	const { default: pretty } = await import("pino-pretty");
	const stream = pretty({
		colorize: process.stderr.isTTY === true && process.env["NO_COLOR"] === undefined,
		translateTime: "SYS:HH:MM:ss.l",
		singleLine: true,
		destination,
	});
	return adapt(pino(settings, stream));
}

function adapt(logger: PinoLogger): Logger {
	return {
		debug: (fields: LogFields, message: string) => logger.debug(fields, message),
		info: (fields: LogFields, message: string) => logger.info(fields, message),
		warn: (fields: LogFields, message: string) => logger.warn(fields, message),
		error: (fields: LogFields, message: string) => logger.error(fields, message),
		child: (fields: LogFields) => adapt(logger.child(fields)),
	};
}
