/**
 * What is chosen for a whole database while it runs, and the payload of the entry that chooses it: a code that no format's
 * payload begins with, then the value as people write it. Entries before it go by the old value, those behind it by
 * the new one; a member that applies it keeps it with the applied index, so a restart and a snapshot know it.
 */
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { acknowledgementText, parseAcknowledgement } from "./acknowledgement-text.ts";
import { settingIn } from "./changes/payload.ts";
import { isLogFormat, type LogFormat } from "./log-format.ts";

export type SettingChange =
	| { readonly name: "format"; readonly value: LogFormat }
	/** Of writes that name no mode. */
	| { readonly name: "acknowledgement"; readonly value: Acknowledgement };

/** Never changed, never used again. */
const codes = { format: 16, acknowledgement: 17 } as const;

export function settingText(change: SettingChange): string {
	return change.name === "format" ? change.value : acknowledgementText(change.value);
}

export function encodeSettingChange(change: SettingChange): Uint8Array<ArrayBuffer> {
	return Uint8Array.from([codes[change.name], ...new TextEncoder().encode(settingText(change))]);
}

/** Null: another payload. In the log format wal it comes with the pages that hold it. */
export function readSettingChange(payload: Uint8Array): SettingChange | null {
	const own = settingIn(payload) ?? payload;
	const code = own[0];
	if (code !== codes.format && code !== codes.acknowledgement) return null;
	const text = new TextDecoder().decode(own.subarray(1));
	return settingFrom(code === codes.format ? "format" : "acknowledgement", text);
}

/** Throws where this node does not know the value: a newer one chose it. */
export function settingFrom(name: SettingChange["name"], text: string): SettingChange {
	if (name === "format") {
		if (isLogFormat(text)) return { name, value: text };
		throw new Error(`the log format ${text} was chosen, which this node does not know`);
	}
	const value = parseAcknowledgement(text);
	if (value !== null) return { name, value };
	throw new Error(`the acknowledgement mode ${text} was chosen, which this node does not know`);
}
