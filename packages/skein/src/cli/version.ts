// The version of this package, read from its package.json: the only place that states it.
import { readFileSync } from "node:fs";
import { packageRoot } from "./package-root.ts";

export function skeinVersion(): string {
	const content: unknown = JSON.parse(readFileSync(new URL("package.json", packageRoot()), "utf8"));
	if (typeof content !== "object" || content === null || !("version" in content)) {
		throw new Error("package.json of skein states no version");
	}
	return String(content.version);
}
