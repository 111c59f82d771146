import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { whyBlocked } from "./blocked-ports.ts";
import { connect, SkeinError } from "./index.ts";

interface Received {
	readonly path: string;
	readonly headers: IncomingMessage["headers"];
	readonly body: {
		baton?: string | null;
		requests: { type: string; stmt?: { args: unknown; sql: string }; batch?: { steps: object[] } }[];
	};
}

type Reply = (request: Received, response: ServerResponse) => void;

/** A node that answers with each reply in turn, the last one for ever. */
async function serverWith(...replies: Reply[]): Promise<{ url: string; received: Received[] }> {
	const received: Received[] = [];
	const server = createServer((request, response) => {
		const chunks: Buffer[] = [];
		request.on("data", (chunk: Buffer) => chunks.push(chunk));
		request.on("end", () => {
			const text = Buffer.concat(chunks).toString();
			const one = {
				path: request.url ?? "",
				headers: request.headers,
				body: text === "" ? { requests: [] } : JSON.parse(text),
			};
			received.push(one);
			(replies[received.length - 1] ?? replies.at(-1))?.(one, response);
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	const { port } = server.address() as AddressInfo;
	return { url: `http://127.0.0.1:${port}`, received };
}

function json(response: ServerResponse, status: number, body: unknown): void {
	response.writeHead(status, { "content-type": "application/json", "skein-session": "3.42" });
	response.end(JSON.stringify(body));
}

const emptyResult = { cols: [], rows: [], affected_row_count: 1, last_insert_rowid: "7" };
const ok: Reply = ({ body }, response) =>
	json(response, 200, {
		baton: null,
		base_url: null,
		results: body.requests.map(({ type }) => ({
			type: "ok",
			response: { type, ...(type === "execute" ? { result: emptyResult } : {}) },
		})),
	});
const refuse =
	(status: number, code: string, outcome: string): Reply =>
	(_, response) =>
		json(response, status, { message: `it is ${code}`, code, outcome });
const breakConnection: Reply = (_, response) => {
	response.socket?.destroy();
};

/** A port where nobody listens. */
async function deadUrl(): Promise<string> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return `http://127.0.0.1:${port}`;
}

async function failureOf(promise: Promise<unknown>): Promise<SkeinError> {
	const error = await promise.then(
		() => null,
		(reason: unknown) => reason,
	);
	if (!(error instanceof SkeinError)) throw new Error(`not a SkeinError: ${String(error)}`);
	return error;
}

test("values go out and come back with their types", async () => {
	const big = 2n ** 60n;
	const { url, received } = await serverWith((_, response) =>
		json(response, 200, {
			baton: null,
			base_url: null,
			results: [
				{
					type: "ok",
					response: {
						type: "execute",
						result: {
							cols: [
								{ name: "a", decltype: "INTEGER" },
								{ name: "b", decltype: null },
							],
							rows: [
								[
									{ type: "integer", value: "5" },
									{ type: "integer", value: String(big) },
								],
								[
									{ type: "float", value: 1.5 },
									{ type: "blob", base64: "AQI" },
								],
								[{ type: "null" }, { type: "text", value: "ü" }],
							],
							affected_row_count: 0,
							last_insert_rowid: null,
						},
					},
				},
				{ type: "ok", response: { type: "close" } },
			],
		}),
	);
	const result = await connect(url).execute("select ?", [
		1,
		1.5,
		9n,
		true,
		"x",
		null,
		new Uint8Array([1, 2]),
	]);
	expect(received[0]?.body.requests[0]?.stmt?.args).toEqual([
		{ type: "integer", value: "1" },
		{ type: "float", value: 1.5 },
		{ type: "integer", value: "9" },
		{ type: "integer", value: "1" },
		{ type: "text", value: "x" },
		{ type: "null" },
		{ type: "blob", base64: "AQI=" },
	]);
	expect(result).toEqual({
		columns: ["a", "b"],
		columnTypes: ["INTEGER", null],
		rows: [
			[5, big],
			[1.5, new Uint8Array([1, 2])],
			[null, "ü"],
		],
		changes: 0,
		lastInsertRowid: null,
		session: "3.42",
	});
});

test("a statement's failure keeps SQLite's words and is not tried again", async () => {
	const { url, received } = await serverWith(({ body }, response) =>
		json(response, 200, {
			results: body.requests.map(() => ({
				type: "error",
				error: { message: "UNIQUE constraint failed: t.a", code: "SQLITE_CONSTRAINT" },
			})),
		}),
	);
	const error = await failureOf(connect(url).execute("insert into t values (1)"));
	expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT", outcome: "did-not-happen" });
	expect(received).toHaveLength(1);
});

test("a node that cannot be reached is passed over, also for a write without a key", async () => {
	const { url, received } = await serverWith(ok);
	const client = connect([await deadUrl(), url]);
	await client.execute("insert into t values (1)", [], { idempotencyKey: null });
	expect(received).toHaveLength(1);
	// And the node that answered is asked first from then on.
	await client.execute("select 1");
	expect(received).toHaveLength(2);
});

test("when no node can be reached at all, it says so soon", async () => {
	const client = connect([await deadUrl(), await deadUrl()], { connectTimeoutMs: 100 });
	const startedAt = performance.now();
	const error = await failureOf(client.execute("insert into t values (1)"));
	expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "did-not-happen" });
	expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test("a port that fetch refuses is told at once, also among others", async () => {
	const { url, received } = await serverWith(ok);
	const error = await failureOf(connect([url, "http://127.0.0.1:6000"]).execute("select 1"));
	expect(error).toMatchObject({ code: "BAD_REQUEST", outcome: "did-not-happen" });
	expect(error.message).toContain("port 6000");
	expect(received.length).toBe(0);
});

test("the ports that are told are those that fetch refuses", async () => {
	for (const port of [22, 79, 6000, 6566, 10080]) {
		expect(whyBlocked(`http://127.0.0.1:${port}/`)).not.toBe(null);
		const failure: unknown = await fetch(`http://127.0.0.1:${port}/`).catch((reason: unknown) => reason);
		expect(failure).toMatchObject({ cause: { message: "bad port" } });
	}
	for (const url of ["http://a/", "https://a/", "http://a:8080/", "http://a:6001/"]) {
		expect(whyBlocked(url)).toBe(null);
	}
});

test("a write whose connection broke is sent again with the same idempotency key", async () => {
	const { url, received } = await serverWith(breakConnection, refuse(503, "LEADERSHIP_LOST", "unknown"), ok);
	await connect(url).execute("insert into t values (1)");
	const keys = received.map(({ headers }) => headers["idempotency-key"]);
	expect(keys).toHaveLength(3);
	expect(new Set(keys).size).toBe(1);
	expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
});

test("a write without a key is never sent twice when its outcome is unknown", async () => {
	for (const reply of [breakConnection, refuse(503, "LEADERSHIP_LOST", "unknown")]) {
		const { url, received } = await serverWith(reply, ok);
		const error = await failureOf(
			connect(url).execute("insert into t values (1)", [], { idempotencyKey: null }),
		);
		expect(error.outcome).toBe("unknown");
		expect(received).toHaveLength(1);
	}
});

test("reads carry no key and are repeated", async () => {
	const { url, received } = await serverWith(breakConnection, ok);
	await connect(url).execute("-- a comment\n select 1");
	expect(received.map(({ headers }) => headers["idempotency-key"])).toEqual([undefined, undefined]);
});

test("NO_LEADER is waited out, up to the time limit", async () => {
	const { url, received } = await serverWith(refuse(503, "NO_LEADER", "did-not-happen"));
	const startedAt = performance.now();
	const error = await failureOf(connect(url, { timeoutMs: 300 }).execute("insert into t values (1)"));
	expect(error).toMatchObject({ code: "NO_LEADER", outcome: "did-not-happen" });
	expect(received.length).toBeGreaterThan(2);
	expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("one try with an unknown outcome makes the whole unknown, whatever the later ones say", async () => {
	// A refusal that is not tried again: how much time this machine takes for two tries plays no part.
	const { url, received } = await serverWith(breakConnection, refuse(504, "TIMEOUT", "did-not-happen"));
	const error = await failureOf(connect(url).execute("insert into t values (1)"));
	expect(error).toMatchObject({ code: "TIMEOUT", message: "it is TIMEOUT", outcome: "unknown" });
	expect(received).toHaveLength(2);
});

test("a last try that had no time left hides nothing of what the one before was told", async () => {
	const { url } = await serverWith(refuse(503, "NO_LEADER", "did-not-happen"), () => {});
	const asked = connect([url]).call("POST", "cluster/transfer", {}, { timeoutMs: 300 });
	const error: unknown = await asked.catch((thrown: unknown) => thrown);
	expect(error).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
	expect(String(error)).toMatch(/no answer from .*; before that: .*NO_LEADER/);
});

test("a server that never answers ends in TIMEOUT, outcome unknown", async () => {
	const { url } = await serverWith(() => {});
	const error = await failureOf(connect(url, { timeoutMs: 200 }).execute("insert into t values (1)"));
	expect(error).toMatchObject({ code: "TIMEOUT", outcome: "unknown" });
});

test("a batch is one transaction, and its first failure is the error", async () => {
	const { url, received } = await serverWith(({ body }, response) => {
		const none = [null, null, null, null, null];
		const errors = [null, null, { message: "no such table: b", code: "SQLITE_ERROR" }, null, null];
		const result = { step_results: none, step_errors: errors };
		json(response, 200, {
			results: body.requests.map(({ type }) => ({ type: "ok", response: { type, result } })),
		});
	});
	const error = await failureOf(connect(url).batch(["insert into a values (1)", "insert into b values (1)"]));
	expect(error.code).toBe("SQLITE_ERROR");
	expect(received[0]?.body.requests[0]?.batch?.steps).toMatchObject([
		{ stmt: { sql: "BEGIN IMMEDIATE" } },
		{ condition: { type: "ok", step: 0 } },
		{ condition: { type: "ok", step: 1 } },
		{ stmt: { sql: "COMMIT" }, condition: { type: "ok", step: 2 } },
		{ stmt: { sql: "ROLLBACK" }, condition: { type: "and" } },
	]);
});

test("a batch that failed as a whole says so at its last step, and is no success", async () => {
	const { url } = await serverWith(({ body }, response) => {
		const failure = {
			message: "this idempotency key was used",
			code: "BAD_REQUEST",
			extendedCode: "BAD_REQUEST_KEY",
		};
		const result = { step_results: [null, null, null, null], step_errors: [null, null, null, failure] };
		json(response, 200, {
			results: body.requests.map(({ type }) => ({ type: "ok", response: { type, result } })),
		});
	});
	const error = await failureOf(connect(url).batch(["insert into a values (1)"]));
	expect(error).toMatchObject({ code: "BAD_REQUEST", extendedCode: "BAD_REQUEST_KEY" });
});

test("a transaction keeps to its stream, and rolls back by closing it", async () => {
	let requests = 0;
	const withBaton: Reply = ({ body }, response) => {
		requests++;
		const isClosing = body.requests.some(({ type }) => type === "close");
		json(response, 200, {
			baton: isClosing ? null : `b${requests}`,
			results: body.requests.map(({ type }) => ({
				type: "ok",
				response: { type, is_autocommit: false, ...(type === "execute" ? { result: emptyResult } : {}) },
			})),
		});
	};
	const { url, received } = await serverWith(withBaton);
	const client = connect(url);
	const failure = client.transaction(async (transaction) => {
		await transaction.execute("insert into t values (1)");
		throw new Error("changed my mind");
	});
	await expect(failure).rejects.toThrow("changed my mind");
	expect(received.map(({ body }) => body.baton)).toEqual([null, "b1", "b2"]);
	expect(received.at(-1)?.body.requests).toEqual([{ type: "close" }]);
});

/** Answers as a stream with a transaction does. */
const inTransaction: Reply = ({ body }, response) =>
	json(response, 200, {
		baton: body.requests.some(({ type }) => type === "close") ? null : "b",
		results: body.requests.map(({ type }) => ({
			type: "ok",
			response: { type, is_autocommit: false, ...(type === "execute" ? { result: emptyResult } : {}) },
		})),
	});

test("a witness sends a client on to the next node", async () => {
	const witness = await serverWith(refuse(503, "WITNESS", "did-not-happen"));
	const data = await serverWith(inTransaction);
	const stream = connect([witness.url, data.url]).openStream();
	await stream.execute("begin");
	expect([witness.received.length, data.received.length]).toEqual([1, 1]);
});

test("a node that is overloaded for a moment does not cost the transaction", async () => {
	const busy = refuse(503, "OVERLOADED", "did-not-happen");
	const { url, received } = await serverWith(inTransaction, busy, busy, inTransaction);
	const stream = connect(url).openStream();
	await stream.execute("begin");
	await stream.execute("insert into t values (1)");
	expect(received.map(({ body }) => body.baton)).toEqual([null, "b", "b", "b"]);
	expect(stream.isAutocommit).toBe(false);
});

test("a transaction that ended with an error: it is told, closed, and nothing runs outside of it", async () => {
	const refused = refuse(503, "NO_LEADER", "did-not-happen");
	const { url, received } = await serverWith(inTransaction, refused, refused, inTransaction, refused);
	const results = await connect(url)
		.transaction((transaction) =>
			// The second is asked for before the first has failed.
			Promise.allSettled([
				transaction.execute("insert into t values (1)"),
				transaction.execute("insert into t values (2)"),
			]),
		)
		.catch((error: unknown) => error);
	expect(results).toMatchObject({ code: "CLOSED" });
	const statements = received.flatMap(({ body }) => body.requests.map(({ type, stmt }) => stmt?.sql ?? type));
	expect(statements).not.toContain("insert into t values (2)");
	expect(statements).not.toContain("COMMIT");
	await expect.poll(() => received.at(-1)?.body).toEqual({ baton: "b", requests: [{ type: "close" }] });

	const stream = connect(url).openStream();
	received.length = 0;
	await stream.execute("begin");
	const error = await failureOf(stream.execute("insert into t values (1)"));
	expect(error).toMatchObject({ code: "NO_LEADER", outcome: "did-not-happen" });
	expect(error.message).toContain("rolled back, nothing of it happened");
	expect(stream.isAutocommit).toBe(true);
});

test("what is not Skein is told so", async () => {
	const { url } = await serverWith((_, response) => {
		response.end("<html>");
	});
	expect(await failureOf(connect(url).execute("select 1"))).toMatchObject({ code: "PROTOCOL_ERROR" });
});

test("after close every call fails", async () => {
	const client = connect("http://127.0.0.1:1");
	client.close();
	expect(await failureOf(client.execute("select 1"))).toMatchObject({ code: "CLOSED" });
});

test("an aborted request says that its outcome is unknown", async () => {
	const { url } = await serverWith(() => {});
	const stop = new AbortController();
	const running = connect(url).execute("insert into t values (1)", [], { signal: stop.signal });
	setTimeout(() => stop.abort(), 20);
	expect(await failureOf(running)).toMatchObject({ code: "ABORTED", outcome: "unknown" });
});

test("a session's token goes with every request, to whichever node, and never back", async () => {
	const answering =
		(token: string): Reply =>
		(received, response) => {
			response.setHeader("skein-session", token);
			const results = received.body.requests.map(({ type }) => ({
				type: "ok",
				response: { type, ...(type === "execute" ? { result: emptyResult } : {}) },
			}));
			response.writeHead(200, { "content-type": "application/json" });
			response.end(JSON.stringify({ baton: null, base_url: null, results }));
		};
	const first = await serverWith(
		answering("3.42"),
		answering("3.40"),
		refuse(503, "NO_LEADER", "did-not-happen"),
	);
	const second = await serverWith(answering("4.50"), answering("4.51"));
	const client = connect([first.url, second.url], { consistency: "session" });
	await client.execute("insert into t values (1)");
	await client.execute("select 1");
	// The first node refuses, the second answers.
	await client.execute("select 1");
	const stream = client.openStream();
	await stream.execute("select 1");
	await stream.close();
	await client.execute("select 1", [], { consistency: "eventual" });
	const sent = [...first.received, ...second.received].map(({ headers }) => [
		headers["skein-consistency"],
		headers["skein-session"],
	]);
	expect(sent).toEqual([
		["session", undefined],
		["session", "3.42"],
		["session", "3.42"],
		["session", "3.42"],
		["session", "4.50"],
		["eventual", undefined],
	]);
});

test("when a write is answered: the request says it, else the client, else nobody", async () => {
	const { url, received } = await serverWith(ok);
	const client = connect(url, { acknowledgement: "semi-sync;k=2" });
	await client.execute("insert into t values (1)");
	await client.execute("insert into t values (1)", [], { acknowledgement: "sync;strict" });
	await connect(url).execute("insert into t values (1)");
	const sent = received.map(({ headers }) => headers["skein-ack"]);
	expect(sent).toEqual(["semi-sync;k=2", "sync;strict", undefined]);
});

test("a token of a lost history is an error once; then a session begins", async () => {
	const lost: Reply = (_, response) => {
		response.writeHead(400, { "content-type": "application/json" });
		const error = { code: "BAD_REQUEST", extendedCode: "BAD_REQUEST_SESSION", outcome: "did-not-happen" };
		response.end(JSON.stringify({ ...error, message: "lost" }));
	};
	const { url, received } = await serverWith(ok, lost, ok);
	const client = connect(url, { consistency: "session" });
	await client.execute("select 1");
	expect(await failureOf(client.execute("select 1"))).toMatchObject({ extendedCode: "BAD_REQUEST_SESSION" });
	await client.execute("select 1");
	expect(received.map(({ headers }) => headers["skein-session"])).toEqual([undefined, "3.42", undefined]);
});
