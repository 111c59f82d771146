/** A small JSON file of a node's own: read whole, written whole, and changed by rename: after a crash it is the old one or the new one. */
import type { Disk } from "../world/disk.ts";

/** Null: there is none. */
export async function readJsonFile(disk: Disk, path: string): Promise<unknown> {
	if (!(await disk.list("")).includes(path)) return null;
	const file = await disk.open(path, { create: false });
	try {
		return JSON.parse(new TextDecoder().decode(await file.read(0, await file.size())));
	} catch (error) {
		throw new Error(`${path} is damaged`, { cause: error });
	} finally {
		await file.close();
	}
}

/** Resolves when durable, its name too. */
export async function writeJsonFile(disk: Disk, path: string, value: unknown): Promise<void> {
	const newPath = `${path}.new`;
	await disk.remove(newPath);
	const file = await disk.open(newPath, { create: true });
	try {
		await file.write(0, [new TextEncoder().encode(JSON.stringify(value))]);
		await file.sync();
	} finally {
		await file.close();
	}
	await disk.rename(newPath, path);
	await disk.syncDirectory("");
}
