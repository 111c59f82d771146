// Other work on the machine is measured too: before servers start, waits a while for it to end, and says so when it does not.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const sampleMs = 500;
const millisecondsPerTick = 10;
const quietCores = 0.25;
const patienceMs = 30_000;

export async function waitForQuiet(): Promise<void> {
	const deadline = performance.now() + patienceMs;
	for (;;) {
		const before = busyMs();
		await sleep(sampleMs);
		const cores = (busyMs() - before) / sampleMs;
		if (cores < quietCores) return;
		if (performance.now() > deadline) {
			console.error(
				`  not quiet: other work takes ${cores.toFixed(1)} cores; the next figures suffer from it`,
			);
			return;
		}
	}
}

/** Processor time of everything, from the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq. */
function busyMs(): number {
	const [, user, nice, system, , , irq, softirq] = readFileSync("/proc/stat", "utf8")
		.split(/\s+/, 8)
		.map(Number);
	return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) * millisecondsPerTick;
}
