// dev.json: what the nodes of one `skein dev` share and must find again: the cluster's id, its secret, its shape.
import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../usage-error.ts";

const schema = z.object({
	clusterId: z.string().min(1),
	secret: z.string().min(1),
	nodes: z.int().min(1),
	port: z.int().min(1),
});
export type DevCluster = z.infer<typeof schema>;

/** Reads the file, or makes it the first time. The shape is kept: the nodes' logs hold their addresses. */
export function openClusterFile(directory: string, shape: { nodes: number; port: number }): DevCluster {
	const path = join(directory, "dev.json");
	if (!existsSync(path)) {
		mkdirSync(directory, { recursive: true });
		const made = { clusterId: randomUUID(), secret: randomBytes(24).toString("base64url"), ...shape };
		// Only for the owner: whoever has the secret is a member.
		writeFileSync(path, `${JSON.stringify(made, null, "\t")}\n`, { mode: 0o600, flag: "wx" });
		return made;
	}
	const parsed = schema.safeParse(parse(path));
	if (!parsed.success) throw new UsageError(`${path} is damaged; remove ${directory} to begin anew`);
	const known = parsed.data;
	if (known.nodes !== shape.nodes || known.port !== shape.port) {
		throw new UsageError(
			`${directory} holds a cluster of ${known.nodes} nodes from port ${known.port} on. Start it with ` +
				`--nodes ${known.nodes} --port ${known.port}, or another one with --data DIRECTORY, or remove ${directory}`,
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
