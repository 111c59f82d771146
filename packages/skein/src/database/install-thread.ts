/** Checks a snapshot before it replaces the database, on a thread of its own: its hash, its pages, that it is Skein's. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { readState } from "./own-tables.ts";

export interface InstallThreadData {
	readonly path: string;
	readonly sha256: string;
}

async function check({ path, sha256 }: InstallThreadData): Promise<void> {
	const hash = createHash("sha256");
	for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
	if (hash.digest("hex") !== sha256)
		throw new Error("the snapshot does not have the hash that was announced");
	// Immutable: no write-ahead file is looked for or made beside it.
	const url = pathToFileURL(path);
	url.searchParams.set("immutable", "1");
	const connection = new DatabaseSync(url, { readOnly: true });
	try {
		const verdict = connection.prepare("PRAGMA quick_check(1)").get();
		if (verdict?.["quick_check"] !== "ok")
			throw new Error(`the snapshot is damaged: ${String(verdict?.["quick_check"])}`);
		readState(connection);
	} finally {
		connection.close();
	}
}

if (parentPort !== null) {
	await check(workerData as InstallThreadData);
	parentPort.postMessage("ok");
}
