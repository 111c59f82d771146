/** Acknowledgement modes as people write them, in headers, options and files: `semi-sync;k=2`. */
import type { Acknowledgement as AcknowledgementText } from "../../../client/src/index.ts";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";

export const acknowledgementForms = "async, semi-sync, semi-sync;k=N, quorum, sync, sync;strict or chain";

/** More could not be met by any cluster of sense. */
const mostFollowers = 1_000;

/** Null: it is none of `acknowledgementForms`. */
export function parseAcknowledgement(text: string): Acknowledgement | null {
	if (text === "async" || text === "quorum" || text === "chain") return { mode: text };
	const sync = /^sync(?:; ?(strict))?$/.exec(text);
	if (sync !== null) return { mode: "sync", strict: sync[1] !== undefined };
	const followers = /^semi-sync(?:; ?k=(\d{1,4}))?$/.exec(text);
	if (followers === null) return null;
	const count = Number(followers[1] ?? 1);
	return count >= 1 && count <= mostFollowers ? { mode: "semi-sync", followers: count } : null;
}

export function acknowledgementText(acknowledgement: Acknowledgement): AcknowledgementText {
	switch (acknowledgement.mode) {
		case "async":
		case "quorum":
		case "chain":
			return acknowledgement.mode;
		case "sync":
			return acknowledgement.strict ? "sync;strict" : "sync";
		case "semi-sync":
			return `semi-sync;k=${acknowledgement.followers}`;
	}
}
