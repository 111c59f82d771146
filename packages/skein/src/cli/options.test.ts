import { expect, test } from "vitest";
import { devOptions, everyOption, parseHostPort, sqlOptions, startOptions } from "./options.ts";
import { environmentName, flagName, resolveOptions } from "./resolve-options.ts";
import { UsageError } from "./usage-error.ts";

const nothing = { flags: {}, environment: {}, file: { path: "skein.config.json", values: {} } };

test("a flag wins over the environment, the environment over the file, the file over the default", () => {
	const file = { path: "skein.config.json", values: { port: "4" } };
	const environment = { SKEIN_PORT: "3" };
	expect(resolveOptions(devOptions, nothing).port).toBe(8080);
	expect(resolveOptions(devOptions, { ...nothing, file }).port).toBe(4);
	expect(resolveOptions(devOptions, { ...nothing, file, environment }).port).toBe(3);
	expect(resolveOptions(devOptions, { flags: { port: "2" }, environment, file }).port).toBe(2);
});

test("names of flags and variables come from the key", () => {
	expect(flagName("clusterId")).toBe("--cluster-id");
	expect(environmentName("clusterId")).toBe("SKEIN_CLUSTER_ID");
});

interface Case {
	readonly key: string;
	readonly text: string;
	readonly says: RegExp;
}

const wrong: readonly Case[] = [
	{ key: "listen", text: "8080x", says: /--listen is "8080x": it must be HOST:PORT/ },
	{ key: "listen", text: "::1:8080", says: /HOST:PORT/ },
	{ key: "listen", text: "localhost:65536", says: /HOST:PORT/ },
	{ key: "id", text: "a b", says: /letters, digits/ },
	{ key: "cluster", text: "n1=1.2.3.4:1,n1=1.2.3.4:2", says: /names a node twice/ },
	{ key: "cluster", text: "n1", says: /the address of n1 must be/ },
	{ key: "cluster", text: "n1=a:1=2", says: /ID=HOST:PORT/ },
	{ key: "logLevel", text: "loud", says: /--log-level is "loud": it must be one of debug, info/ },
	{ key: "advertise", text: "ftp://x/", says: /http or https/ },
];

test.each(wrong)("$key $text is refused in words", ({ key, text, says }) => {
	const resolve = () => resolveOptions(startOptions, { ...nothing, flags: { [key]: text } });
	expect(resolve).toThrow(UsageError);
	expect(resolve).toThrow(says);
});

test("an error says where the text came from, and never repeats a secret", () => {
	const fromEnvironment = { ...nothing, environment: { SKEIN_LISTEN: "?" } };
	expect(() => resolveOptions(startOptions, fromEnvironment)).toThrow(/^SKEIN_LISTEN is/);
	const file = { path: "here.json", values: { listen: "?" } };
	expect(() => resolveOptions(startOptions, { ...nothing, file })).toThrow(/"listen" in here.json/);
	expect(() => resolveOptions(startOptions, { ...nothing, flags: { secret: "" } })).toThrow(
		"--secret it is empty",
	);
});

test("addresses: names, IPv4, IPv6 in brackets, a port alone", () => {
	expect(parseHostPort("10.0.0.1:80")).toEqual({ host: "10.0.0.1", port: 80 });
	expect(parseHostPort("[::1]:80")).toEqual({ host: "::1", port: 80 });
	expect(parseHostPort("db.example:0")).toEqual({ host: "db.example", port: 0 });
	expect(parseHostPort("9000")).toEqual({ host: "127.0.0.1", port: 9000 });
});

test("URLs: whole, without http://, or a port of this machine", () => {
	const { url } = resolveOptions(sqlOptions, { ...nothing, flags: { url: "https://a/,b:1024, 8081" } });
	expect(url).toEqual(["https://a/", "http://b:1024/", "http://127.0.0.1:8081/"]);
});

test("when writes are answered", () => {
	const resolve = (acknowledgement: string) =>
		resolveOptions(startOptions, { ...nothing, flags: { acknowledgement } }).acknowledgement;
	expect(resolveOptions(startOptions, nothing).acknowledgement).toBeNull();
	expect(resolve("async")).toEqual({ mode: "async" });
	expect(resolve("semi-sync")).toEqual({ mode: "semi-sync", followers: 1 });
	expect(resolve("semi-sync;k=2")).toEqual({ mode: "semi-sync", followers: 2 });
	const environment = { SKEIN_ACKNOWLEDGEMENT: "async" };
	expect(resolveOptions(devOptions, { ...nothing, environment }).acknowledgement).toEqual({ mode: "async" });
	expect(resolve("sync")).toEqual({ mode: "sync", strict: false });
	expect(resolve("sync;strict")).toEqual({ mode: "sync", strict: true });
	expect(resolve("chain")).toEqual({ mode: "chain" });
	for (const wrong of ["chains", "sync;k=1", "semi-sync;k=0", "semi-sync;k=x", "Quorum"])
		expect(() => resolve(wrong)).toThrow(/--acknowledgement is ".*": it must be async, semi-sync/);
});

test("what writes wait for", () => {
	const resolve = (acknowledgement: string) =>
		resolveOptions(sqlOptions, { ...nothing, flags: { acknowledgement } }).acknowledgement;
	expect(resolveOptions(sqlOptions, nothing).acknowledgement).toBe(null);
	expect(resolve("semi-sync")).toBe("semi-sync;k=1");
	expect(resolve("sync;strict")).toBe("sync;strict");
	expect(resolve("chain")).toBe("chain");
	expect(() => resolve("chains")).toThrow(/it must be async, semi-sync/);
});

test("what reads promise", () => {
	const resolve = (consistency: string) =>
		resolveOptions(sqlOptions, { ...nothing, flags: { consistency } }).consistency;
	expect(resolveOptions(sqlOptions, nothing).consistency).toBe("linearizable");
	expect(resolve("session")).toBe("session");
	expect(resolve("bounded;max-staleness-ms=250")).toBe("bounded;max-staleness-ms=250");
	for (const text of ["strong", "bounded", "bounded;max-staleness-ms=soon"])
		expect(() => resolve(text)).toThrow("it must be linearizable, session, eventual or bounded");
});

test("a member list keeps its order", () => {
	const { cluster } = resolveOptions(startOptions, {
		...nothing,
		flags: { cluster: "b=1.1.1.1:2, a=[::1]:3" },
	});
	expect(cluster).toEqual([
		{ id: "b", peer: "1.1.1.1:2" },
		{ id: "a", peer: "[::1]:3" },
	]);
});

test("every option has a description, and its default is what its own text form gives", () => {
	for (const [key, option] of Object.entries(everyOption)) {
		expect(option.description, key).not.toBe("");
		const { defaultValue, defaultText } = option;
		const text =
			defaultText ?? (typeof defaultValue === "string" ? defaultValue : JSON.stringify(defaultValue));
		if (defaultValue === null || Array.isArray(defaultValue)) continue;
		expect(option.parse(text), key).toEqual(defaultValue);
	}
});
