// What is applied tells what it chooses, also where its pages come in pieces.
import { expect, test } from "vitest";
import { encodePayload } from "../database/changes/payload.ts";
import type { AppliedEntry } from "../database/database.ts";
import { encodeSettingChange } from "../database/setting-change.ts";
import { createAppliedSettings } from "./applied-settings.ts";

const chain = encodeSettingChange({ name: "acknowledgement", value: { mode: "chain" } });
const inPages = encodePayload(
	[
		{ type: "setting", bytes: chain },
		{ type: "pages", bytes: new Uint8Array(100) },
	],
	"wal",
);
const pagesOnly = encodePayload([{ type: "pages", bytes: new Uint8Array(100) }], "wal");
const chosen = [{ name: "acknowledgement", value: { mode: "chain" } }];

let index = 0;

function entry(kind: AppliedEntry["kind"], payload: Uint8Array = new Uint8Array(0)): AppliedEntry {
	return { position: { term: 1, index: ++index }, kind, payload, configuration: null };
}

test("a choice by itself, and one that comes with its pages", () => {
	const settings = createAppliedSettings();
	expect(settings.read([entry("command", chain)])).toEqual(chosen);
	expect(settings.read([entry("command", pagesOnly), entry("command", inPages)])).toEqual(chosen);
	expect(settings.read([entry("barrier"), entry("command", pagesOnly)])).toEqual([]);
});

test("one whose pages come in pieces counts with the last of them, once, however many of them are applied together", () => {
	const settings = createAppliedSettings();
	expect(settings.read([entry("first-piece", inPages.subarray(0, 60))])).toEqual([]);
	expect(settings.read([entry("later-piece", inPages.subarray(60, 90))])).toEqual([]);
	expect(settings.read([entry("last-piece", inPages.subarray(90))])).toEqual(chosen);
	expect(
		settings.read([
			entry("first-piece", pagesOnly.subarray(0, 60)),
			entry("last-piece", pagesOnly.subarray(60)),
		]),
	).toEqual([]);
	expect(
		settings.read([
			entry("first-piece", inPages.subarray(0, 60)),
			entry("last-piece", inPages.subarray(60)),
			entry("command", pagesOnly),
		]),
	).toEqual(chosen);
});

test("pieces without an end choose nothing", () => {
	for (const next of [entry("barrier"), entry("command", pagesOnly)]) {
		const settings = createAppliedSettings();
		expect(settings.read([entry("first-piece", inPages.subarray(0, 60)), next])).toEqual([]);
		expect(settings.read([entry("last-piece", new Uint8Array(8))])).toEqual([]);
	}
	const settings = createAppliedSettings();
	const again = [
		entry("first-piece", pagesOnly.subarray(0, 60)),
		entry("last-piece", pagesOnly.subarray(60)),
	];
	expect(settings.read([entry("first-piece", inPages.subarray(0, 60)), ...again])).toEqual([]);
});
