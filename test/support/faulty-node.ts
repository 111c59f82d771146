/**
 * `skein start` for the tests that need what its options do not offer: settings that make rare
 * things frequent, and a disk that fails when a file of that name lies in the node's `faults` folder:
 * `fail-sync` (every fdatasync fails with EIO), `full` (every write that would grow a file fails with ENOSPC),
 * `hang` (no write and no sync ends until the file is gone), `older-wire` (looked at when it starts: it speaks with other
 * nodes as the program of the last wire version did). One argument: JSON of `FaultyNodeOptions`.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { listenForStop } from "../../packages/skein/src/cli/interrupt.ts";
import { createLogger } from "../../packages/skein/src/cli/logger.ts";
import { skeinVersion } from "../../packages/skein/src/cli/version.ts";
import { defaultNodeSettings, type NodeSettings } from "../../packages/skein/src/node/settings.ts";
import { wireVersions } from "../../packages/skein/src/peer/codec/wire-version.ts";
import { type NodeConfiguration, startNode } from "../../packages/skein/src/server/start-node.ts";
import type { Disk, DiskFile } from "../../packages/skein/src/world/disk.ts";

export type SettingsOverride = Partial<Omit<NodeSettings, "consensus">> & {
	readonly consensus?: Partial<NodeSettings["consensus"]>;
};

export interface FaultyNodeOptions
	extends Omit<NodeConfiguration, "logger" | "wrapDisk" | "settings" | "version" | "join"> {
	readonly settings: SettingsOverride;
	readonly faultsDirectory: string;
}

export type Fault = "fail-sync" | "full" | "hang" | "older-wire";

function failure(code: string, message: string): Error {
	return Object.assign(new Error(`${code}: ${message} (injected)`), { code });
}

function wrapDisk(disk: Disk, isActive: (fault: Fault) => boolean): Disk {
	const untilNotHanging = async (): Promise<void> => {
		while (isActive("hang")) await sleep(20);
	};
	const wrapFile = (file: DiskFile): DiskFile => ({
		...file,
		read: (offset, length) => file.read(offset, length),
		size: () => file.size(),
		close: () => file.close(),
		async write(offset, chunks) {
			await untilNotHanging();
			if (isActive("full")) throw failure("ENOSPC", "no space left on device");
			await file.write(offset, chunks);
		},
		async sync() {
			await untilNotHanging();
			if (isActive("fail-sync")) throw failure("EIO", "i/o error, fdatasync");
			await file.sync();
		},
		async truncate(size) {
			if (isActive("full") && size > (await file.size())) throw failure("ENOSPC", "no space left on device");
			await file.truncate(size);
		},
	});
	return {
		list: (directory) => disk.list(directory),
		makeDirectory: (directory) => disk.makeDirectory(directory),
		rename: (from, to) => disk.rename(from, to),
		remove: (path) => disk.remove(path),
		syncDirectory: (directory) => disk.syncDirectory(directory),
		checksum: (bytes, seed) => disk.checksum(bytes, seed),
		open: async (path, options) => wrapFile(await disk.open(path, options)),
	};
}

async function main(text: string): Promise<void> {
	const options: FaultyNodeOptions = JSON.parse(text);
	const logger = await createLogger({ logLevel: "info", logFormat: "json" });
	const signals = listenForStop(() => process.exit(1));
	const isOlder = existsSync(join(options.faultsDirectory, "older-wire"));
	const older = wireVersions.newest - 1;
	const { consensus, ...settings } = options.settings;
	const node = await startNode({
		...options,
		join: null,
		version: skeinVersion(),
		...(isOlder ? { wire: { oldest: older, newest: older } } : {}),
		logger: logger.child({ node: options.id }),
		settings: { ...settings, consensus: { ...defaultNodeSettings.consensus, ...consensus } },
		wrapDisk: (disk) => wrapDisk(disk, (fault) => existsSync(join(options.faultsDirectory, fault))),
	});
	logger.info({ url: node.url }, "listening");
	const asked = new Promise<null>((resolve) => {
		signals.asked.addEventListener("abort", () => resolve(null), { once: true });
	});
	const failed = await Promise.race([asked, node.failed]);
	if (failed === null) {
		await node.stop();
		process.exit(0);
	}
	logger.error({ error: failed }, "the node had to stop");
	process.exit(1);
}

const [argument] = process.argv.slice(2);
if (argument === undefined) throw new Error("faulty-node.ts needs its options as JSON");
await main(argument);
