// The ledger can fail: servers that lie in each of the ways it looks for are caught.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { openLedger } from "./ledger.ts";

type Lie = "none" | "loses" | "doubles" | "denies" | "drifts" | "invents" | "forgets-half";

/** A cluster of one member that answers POST /sql, and every tenth time lies in the given way. */
async function openLiar(lie: Lie): Promise<{ url: string; close: () => void }> {
	const database = new DatabaseSync(":memory:");
	let writes = 0;
	function execute(body: { sql: string } | readonly { sql: string }[]): [status: number, answer: unknown] {
		const list = Array.isArray(body) ? body : [body];
		const isTransfer = list.length === 3;
		if (isTransfer) writes += 1;
		const isLying = isTransfer && writes % 10 === 0;
		const result = (sql: string): unknown => {
			const statement = database.prepare(sql);
			statement.setReturnArrays(true);
			return { rows: statement.all(), columns: [] };
		};
		if (isLying && lie === "loses") return [200, { results: [{}, {}, {}] }];
		database.exec("begin");
		const results = list.map(({ sql }, index) => {
			if (isLying && lie === "forgets-half" && index === 1) return {};
			return result(sql);
		});
		if (isLying && lie === "doubles") for (const { sql } of list) result(sql);
		if (isLying && lie === "drifts") result(list[0]?.sql ?? "");
		if (isLying && lie === "invents") {
			for (const { sql } of list) result(sql.replace(/'[^']+'/, `'invented-${writes}'`));
		}
		database.exec("commit");
		if (isLying && lie === "denies") {
			return [503, { code: "NO_LEADER", message: "no", outcome: "did-not-happen" }];
		}
		return [200, list.length === 1 ? results[0] : { results }];
	}
	const server: Server = createServer((request, response) => {
		let body = "";
		request.on("data", (chunk) => {
			body += String(chunk);
		});
		request.on("end", () => {
			const [status, answer] = execute(JSON.parse(body));
			response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	// listen on a port gives an address with a port.
	const { port } = server.address() as AddressInfo;
	return {
		url: `http://127.0.0.1:${port}`,
		close() {
			server.closeAllConnections();
			server.close();
		},
	};
}

async function runLedger(lie: Lie): Promise<void> {
	const liar = await openLiar(lie);
	const node = { url: liar.url, id: "n1", isRunning: true };
	try {
		const ledger = await openLedger(
			{ urls: [liar.url], nodes: [node], leader: async () => node, caughtUp: async () => {} },
			{ clients: 2 },
		);
		await ledger.progress(40);
		await ledger.stop();
		await ledger.check();
	} finally {
		liar.close();
	}
}

test("an honest server passes", async () => {
	await runLedger("none");
});

test.each([
	["loses", "lost"],
	["doubles", "twice"],
	// Whether the client tried it again decides which of the two is seen first.
	["denies", /did not happen|twice/],
	["drifts", "the total"],
	["invents", "nobody"],
	["forgets-half", "the total"],
] as const)("a server that %s: caught", async (lie, message) => {
	await expect(runLedger(lie)).rejects.toThrow(message);
});
