// dev.json: what the nodes of one `skein dev` share and must find again: the cluster's id, its secret, its size.
import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../usage-error.ts";

const schema = z.object({
	clusterId: z.string().min(1),
	secret: z.string().min(1),
	nodes: z.int().min(1),
});
export type DevCluster = z.infer<typeof schema>;

/** Reads the file, or makes it the first time. How many nodes there are is kept: their logs say who votes. */
export function openClusterFile(directory: string, nodes: number): DevCluster {
	const path = join(directory, "dev.json");
	if (!existsSync(path)) {
		mkdirSync(directory, { recursive: true });
		const made = { clusterId: randomUUID(), secret: randomBytes(24).toString("base64url"), nodes };
		// Only for the owner: whoever has the secret is a member.
		writeFileSync(path, `${JSON.stringify(made, null, "\t")}\n`, { mode: 0o600, flag: "wx" });
		return made;
	}
	const parsed = schema.safeParse(parse(path));
	if (!parsed.success) throw new UsageError(`${path} is damaged; remove ${directory} to begin anew`);
	const known = parsed.data;
	if (known.nodes !== nodes) {
		throw new UsageError(
			`${directory} holds a cluster of ${known.nodes} nodes: start it with --nodes ${known.nodes}, ` +
				`or another one with --data DIRECTORY, or remove ${directory} to begin anew`,
		);
	}
	return known;
}

function parse(path: string): unknown {
	try {
		return JSON.parse(readFileSync(path, "utf8"));
	} catch {
		return undefined;
	}
}
