// A node's log lines on disk, bounded: one file and the one before it.
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";

export interface LogFile {
	write(chunk: Uint8Array): void;
	close(): void;
}

export const logFileLimitBytes = 16 * 1024 * 1024;

export function openLogFile(directory: string): LogFile {
	mkdirSync(directory, { recursive: true });
	const path = join(directory, "log.jsonl");
	let file = openSync(path, "a");
	let sizeBytes = fstatSync(file).size;
	return {
		write(chunk) {
			if (sizeBytes + chunk.length > logFileLimitBytes) {
				closeSync(file);
				renameSync(path, join(directory, "log.1.jsonl"));
				file = openSync(path, "a");
				sizeBytes = 0;
			}
			try {
				sizeBytes += writeSync(file, chunk);
			} catch {
				// A full disk: the nodes themselves say so on the terminal, and must not lose their supervisor to it.
			}
		},
		close() {
			closeSync(file);
		},
	};
}
