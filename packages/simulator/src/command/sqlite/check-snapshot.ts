// What install-thread.ts checks of a snapshot before it replaces the database; that module starts itself.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { readState } from "../../../../skein/src/database/own-tables.ts";

export function checkSnapshot(path: string, sha256: string): void {
	if (createHash("sha256").update(readFileSync(path)).digest("hex") !== sha256)
		throw new Error("the snapshot does not have the hash that was announced");
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
