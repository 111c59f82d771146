// Where this package lies on disk, from the sources (src/cli) as from the built files (dist/skein/src/cli).
import { existsSync } from "node:fs";

export function packageRoot(): URL {
	const found = ["../../", "../../../../"]
		.map((path) => new URL(path, import.meta.url))
		.find((candidate) => existsSync(new URL("package.json", candidate)));
	if (found === undefined) throw new Error("package.json of skein is missing");
	return found;
}
