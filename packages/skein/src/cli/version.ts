// The version of this package, read from its package.json: the only place that states it.
import { existsSync, readFileSync } from "node:fs";

export function skeinVersion(): string {
	// From the sources (src/cli) and from the built files (dist/skein/src/cli).
	const candidates = ["../../package.json", "../../../../package.json"].map(
		(path) => new URL(path, import.meta.url),
	);
	const found = candidates.find((candidate) => existsSync(candidate));
	if (found === undefined) throw new Error("package.json of skein is missing");
	const content: unknown = JSON.parse(readFileSync(found, "utf8"));
	if (typeof content !== "object" || content === null || !("version" in content)) {
		throw new Error(`${found.pathname} states no version`);
	}
	return String(content.version);
}
