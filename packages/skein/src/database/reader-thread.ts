/** Readers on a thread. Shows in shared memory which call it is in, so that a long one is noticed from outside. */
import { parentPort, workerData } from "node:worker_threads";
import { gateOf, type Seat } from "./begin-gate.ts";
import type { LogFormat } from "./log-format.ts";
import { type PackedProgram, type PackedRead, packRead, unpackProgram } from "./packing.ts";
import type { Program } from "./program.ts";
import { createReader } from "./reader.ts";
import type { DatabaseSettings } from "./settings.ts";
import { serveCalls } from "./thread-calls.ts";

export interface ReaderThreadData {
	readonly path: string;
	readonly settings: DatabaseSettings;
	/** [0]: the ticket of the read that runs. */
	readonly running: Int32Array;
	readonly seat: Seat;
}

function readerMethods({ path, settings, running, seat }: ReaderThreadData) {
	const reader = createReader({
		path,
		settings,
		now: () => performance.now(),
		gate: gateOf(seat),
	});

	return {
		read(ticket: number, program: PackedProgram, timeoutMs: number): PackedRead {
			Atomics.store(running, 0, ticket);
			return packRead(reader.read(unpackProgram(program), timeoutMs));
		},
		begin: (number: number) => reader.begin(number),
		run: (number: number, program: Program, timeoutMs: number) => reader.run(number, program, timeoutMs),
		end: (number: number) => reader.end(number),
		describe(ticket: number, sql: string) {
			Atomics.store(running, 0, ticket);
			return reader.describe(sql, null);
		},
		format(ticket: number) {
			Atomics.store(running, 0, ticket);
			return reader.format();
		},
		explain(ticket: number, sql: string, format: LogFormat | null) {
			Atomics.store(running, 0, ticket);
			return reader.explain(sql, format);
		},
		describeIn: (number: number, sql: string) => reader.describe(sql, number),
	};
}

if (parentPort !== null) {
	serveCalls(parentPort, readerMethods(workerData as ReaderThreadData), () => []);
}
