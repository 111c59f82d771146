/** One process a data directory; the lock ends with the process that holds it, also when that is killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DataDirectoryInUseError, lockDataDirectory } from "./data-directory-lock.ts";

const program = `
	const { lockDataDirectory } = await import(process.argv[1]);
	await lockDataDirectory(process.argv[2]);
	console.log("locked");
	setInterval(() => {}, 1000);
`;

test("a second process is refused with the first one's id, until the first is killed", async () => {
	const directory = mkdtempSync(join(tmpdir(), "skein-lock-"));
	const module = new URL("./data-directory-lock.ts", import.meta.url).href;
	const holder = spawn(process.execPath, ["--input-type=module", "-e", program, module, directory], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	try {
		await once(holder.stdout, "data");
		const refused = await lockDataDirectory(directory).catch((error: unknown) => error);
		expect(refused).toBeInstanceOf(DataDirectoryInUseError);
		expect(refused).toMatchObject({ processId: holder.pid });
		holder.kill("SIGKILL");
		await once(holder, "exit");
		const lock = await lockDataDirectory(directory);
		// The same process cannot have it twice either.
		await expect(lockDataDirectory(directory)).rejects.toMatchObject({ processId: process.pid });
		lock.release();
		(await lockDataDirectory(directory)).release();
	} finally {
		holder.kill("SIGKILL");
		rmSync(directory, { recursive: true, force: true });
	}
});
