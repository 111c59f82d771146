/**
 * No process outlives its test, whatever kills the test: a small shell that knows the nodes' pids
 * kills them and removes their folder when its standard input ends.
 */
import { spawn } from "node:child_process";

export interface Guard {
	watch(pid: number): void;
	/** Kills what is left and removes the folder. */
	close(): Promise<void>;
}

// A pid may have been given to a stranger by then: only one whose command line names our folder is killed.
const script = `
trap '' INT TERM HUP
while read -r pid; do pids="$pids $pid"; done
for pid in $pids; do
	if tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$1"; then kill -9 "$pid" 2>/dev/null; fi
done
sleep 0.1
umount "$1"/*/ 2>/dev/null
rm -rf "$1"
`;

export function openGuard(directory: string): Guard {
	const shell = spawn("/bin/sh", ["-c", script, "skein-test-guard", directory], {
		stdio: ["pipe", "ignore", "ignore"],
		detached: true,
	});
	const ended = new Promise<void>((resolve) => shell.once("exit", () => resolve()));
	// The shell is for the day on which this process dies; it must not keep it alive.
	shell.unref();
	return {
		watch(pid) {
			shell.stdin.write(`${pid}\n`);
		},
		async close() {
			shell.stdin.end();
			await ended;
		},
	};
}
