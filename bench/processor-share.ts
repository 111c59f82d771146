// A fixed share of one core for each process, by the kernel's control groups: what members have that share no machine.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Short, so that a member that has used its share up is away for no longer than a slow network takes. */
const periodMicroseconds = 20_000;
const root = "/sys/fs/cgroup";

export interface ProcessorShares extends Disposable {
	/** All threads of the process together, from now on. */
	limit(pid: number, share: number): void;
}

/** Throws where the kernel, or the rights to it, are not there. */
export function openProcessorShares(): ProcessorShares {
	const isUnified = existsSync(join(root, "cgroup.controllers"));
	const parent = isUnified ? root : join(root, "cpu");
	const made: string[] = [];

	function write(group: string, name: string, value: string): void {
		writeFileSync(join(group, name), value);
	}

	function limitGroup(group: string, share: number): void {
		const quota = Math.round(share * periodMicroseconds);
		if (isUnified) return write(group, "cpu.max", `${quota} ${periodMicroseconds}`);
		write(group, "cpu.cfs_period_us", `${periodMicroseconds}`);
		write(group, "cpu.cfs_quota_us", `${quota}`);
	}

	return {
		limit(pid, share) {
			const group = join(parent, `skein-bench-${process.pid}-${pid}`);
			try {
				if (isUnified) write(root, "cgroup.subtree_control", "+cpu");
				mkdirSync(group);
				made.push(group);
				limitGroup(group, share);
				write(group, "cgroup.procs", `${pid}`);
			} catch (error) {
				throw new Error(
					`a fixed share of a core needs control groups with the cpu controller, and root: ${String(error)}`,
				);
			}
		},
		[Symbol.dispose]() {
			for (const group of made) {
				// A group with processes cannot go; they are killed with the cluster, and what is left is empty.
				for (const pid of readFileSync(join(group, "cgroup.procs"), "utf8").split("\n").filter(Boolean))
					write(parent, "cgroup.procs", pid);
				rmdirSync(group);
			}
		},
	};
}
