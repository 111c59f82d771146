// What processes cost, from /proc: processor time of all threads, and memory.
import { readFileSync } from "node:fs";

/** Ticks of /proc/PID/stat: 100 a second on every Linux that runs Node.js. */
const millisecondsPerTick = 10;

/** User and system time of all threads of the processes. */
export function processorTimeMs(pids: readonly number[]): number {
	return pids.reduce((sum, pid) => {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		// The command's name stands in brackets and may hold blanks.
		const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
		return sum + (Number(fields[11]) + Number(fields[12])) * millisecondsPerTick;
	}, 0);
}

/** Resident memory, and the part of it that no file backs. */
export function memoryMiB(pid: number): {
	readonly resident: number;
	readonly anonymous: number;
	readonly peak: number;
} {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	const field = (name: string): number =>
		Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;
	return { resident: field("VmRSS"), anonymous: field("RssAnon"), peak: field("VmHWM") };
}
