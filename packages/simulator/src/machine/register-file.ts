/**
 * What a register machine leaves on disk, as SQLite in WAL mode with synchronous = NORMAL does: commits
 * are appended to the write-ahead file and not synced, each guarded by a running checksum, so a power
 * loss keeps those up to any one of them; a checkpoint makes all of them durable. A killed process loses
 * nothing, the operating system has it.
 */
import type { Chance } from "../engine/chance.ts";
import { type Commit, type Content, carryOut, copyOf, emptyContent } from "./register-content.ts";

export interface RegisterFile {
	/** What a process that opens the file sees. */
	current: Content;
	/** As of the last checkpoint. */
	durable: Content;
	/** Commits after `durable`, the oldest first. */
	since: Commit[];
	sinceBytes: number;
	/** Writes fail for want of room. */
	full: boolean;
}

export function createRegisterFile(): RegisterFile {
	return { current: emptyContent(), durable: emptyContent(), since: [], sinceBytes: 0, full: false };
}

export function commitTo(file: RegisterFile, commit: Commit): void {
	if (commit.applied.index <= file.current.applied.index) {
		throw new Error(`${commit.applied.index} is applied after ${file.current.applied.index}`);
	}
	carryOut(file.current, commit);
	file.since.push(commit);
	file.sinceBytes += commit.sizeBytes;
}

/** `keep`: newer commits, which a reader holds back. */
export function checkpointOf(file: RegisterFile, keep: number): void {
	for (const commit of file.since.splice(0, Math.max(0, file.since.length - keep))) {
		carryOut(file.durable, commit);
		file.sinceBytes -= commit.sizeBytes;
	}
}

export function replaceContent(file: RegisterFile, content: Content): void {
	file.current = content;
	file.durable = copyOf(content);
	file.since = [];
	file.sinceBytes = 0;
}

export function losePower(file: RegisterFile, chance: Chance): void {
	const kept = file.since.slice(0, chance.integer(0, file.since.length));
	for (const commit of kept) carryOut(file.durable, commit);
	replaceContent(file, file.durable);
}
