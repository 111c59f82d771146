/** The commit that is checked out, as a number for whoever takes turns. */
import { execFileSync } from "node:child_process";

/**
 * How many commits lead to it, each merge as one, so that the next one has the next number. Where the history is cut off
 * (a shallow clone) that says nothing: then the beginning of its hash.
 */
export function numberOfHead(directory = import.meta.dirname): number {
	const git = (...words: string[]): string =>
		execFileSync("git", words, { cwd: directory, encoding: "utf8" }).trim();
	if (git("rev-parse", "--is-shallow-repository") === "true")
		return Number.parseInt(git("rev-parse", "HEAD").slice(0, 8), 16);
	return Number(git("rev-list", "--count", "--first-parent", "HEAD"));
}
