import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { nearestWord, readConfigurationFile } from "./configuration-file.ts";
import { UsageError } from "./usage-error.ts";

function fileWith(content: string): string {
	const folder = mkdtempSync(join(tmpdir(), "skein-configuration-"));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	const path = join(folder, "skein.config.json");
	writeFileSync(path, content);
	return path;
}

test("values come back as a flag would give them", () => {
	const path = fileWith(
		JSON.stringify({
			$schema: "x",
			id: "n1",
			port: 9000,
			json: true,
			url: ["http://a", "http://b"],
			cluster: { n1: "a:1", n2: "b:2" },
		}),
	);
	expect(readConfigurationFile(path)).toEqual({
		id: "n1",
		port: "9000",
		json: "true",
		url: "http://a,http://b",
		cluster: "n1=a:1,n2=b:2",
	});
});

interface Case {
	readonly content: string;
	readonly says: RegExp;
}

const wrong: readonly Case[] = [
	{ content: '{ "lissten": "1" }', says: /unknown key "lissten"; did you mean "listen"\?/ },
	{ content: '{ "ClusterID": "1" }', says: /did you mean "clusterId"\?/ },
	{ content: '{ "toString": "1" }', says: /unknown key "toString"/ },
	{ content: '{ "zzzzzzzzzz": 1 }', says: /unknown key "zzzzzzzzzz"$/ },
	{ content: '{ "port": "many" }', says: /"port" must be a whole number/ },
	{ content: '{ "port": 1.5 }', says: /"port" must be a whole number/ },
	{ content: '{ "json": "yes" }', says: /"json" must be true or false/ },
	{ content: '{ "cluster": ["n1"] }', says: /"cluster" must be an object such as/ },
	{ content: "[]", says: /must be a JSON object/ },
	{ content: "{", says: /cannot read/ },
];

test.each(wrong)("$content is refused in words", ({ content, says }) => {
	const path = fileWith(content);
	expect(() => readConfigurationFile(path)).toThrow(UsageError);
	expect(() => readConfigurationFile(path)).toThrow(says);
});

test("an absent file that was asked for is an error", () => {
	expect(() => readConfigurationFile("/nowhere/skein.config.json")).toThrow(/cannot read/);
});

test("the nearest word counts letters inserted, deleted and replaced", () => {
	expect(nearestWord("dat", ["data", "port"])).toBe("data");
	expect(nearestWord("prot", ["data", "port"])).toBe("port");
	expect(nearestWord("x", ["data", "listen"])).toBeNull();
});
