/** A small world until src/world/ has its disk and network. To be deleted. */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { Disk, DiskFile } from "../../../skein/src/world/disk.ts";
import type { Lane, Network, NetworkReceiver } from "../../../skein/src/world/network.ts";
import { createMemoryDisk } from "../../../skein/src/world/testing/memory-disk.ts";
import type { Chance } from "../engine/chance.ts";
import type { Scheduler } from "../engine/scheduler.ts";

export interface InterimDisk extends Disk {
	crash(kind: "kill" | "power"): void;
	wipe(): void;
}

export function createInterimDisk(scheduler: Scheduler, chance: Chance): InterimDisk {
	const memory = createMemoryDisk(() => chance.next());

	function timed<T>(meanMs: number, work: () => Promise<T>): Promise<T> {
		return new Promise((resolve, reject) => {
			scheduler.after(chance.exponential(meanMs), () => {
				work().then(resolve, reject);
			});
		});
	}

	function timedFile(file: DiskFile): DiskFile {
		let last: Promise<unknown> = Promise.resolve();
		const inOrder = <T>(meanMs: number, work: () => Promise<T>): Promise<T> => {
			const mine = last.then(() => timed(meanMs, work));
			last = mine.catch(() => {});
			return mine;
		};
		return {
			read: (offset, length) => inOrder(0.02, () => file.read(offset, length)),
			write: (offset, chunks) => inOrder(0.05, () => file.write(offset, chunks)),
			sync: () => inOrder(0.5, () => file.sync()),
			size: () => inOrder(0.01, () => file.size()),
			truncate: (size) => inOrder(0.1, () => file.truncate(size)),
			close: () => inOrder(0.01, () => file.close()),
		};
	}

	return {
		list: (directory) => timed(0.02, () => memory.list(directory)),
		makeDirectory: (directory) => timed(0.02, () => memory.makeDirectory(directory)),
		open: async (path, options) => timedFile(await timed(0.02, () => memory.open(path, options))),
		rename: (from, to) => timed(0.05, () => memory.rename(from, to)),
		remove: (path) => timed(0.05, () => memory.remove(path)),
		syncDirectory: (directory) => timed(0.5, () => memory.syncDirectory(directory)),
		checksum: memory.checksum,
		crash: (kind) => (kind === "power" ? memory.crash() : memory.kill()),
		wipe: () => memory.crash(),
	};
}

export interface InterimNetwork {
	connect(node: NodeId): Network;
	isolate(node: NodeId, isCut: boolean): void;
}

export function createInterimNetwork(scheduler: Scheduler, chance: Chance): InterimNetwork {
	const receivers = new Map<NodeId, NetworkReceiver>();
	const cuts = new Set<NodeId>();
	const lives = new Map<NodeId, number>();
	const lastArrival = new Map<string, number>();
	const lifeOf = (from: NodeId, to: NodeId): number => (lives.get(from) ?? 0) + (lives.get(to) ?? 0);

	const reachable = (from: NodeId, to: NodeId): boolean =>
		receivers.has(from) && receivers.has(to) && !cuts.has(from) && !cuts.has(to);

	function tell(node: NodeId, isReachable: boolean): void {
		for (const other of receivers.keys()) {
			if (other === node || cuts.has(other)) continue;
			receivers.get(other)?.onReachable(node, isReachable);
			receivers.get(node)?.onReachable(other, isReachable);
		}
	}

	function send(from: NodeId, to: NodeId, lane: Lane, bytes: Uint8Array): boolean {
		if (!reachable(from, to)) return false;
		const key = `${from}/${to}/${lane}`;
		const at = Math.max(scheduler.now + 0.2 + chance.exponential(1), lastArrival.get(key) ?? 0);
		lastArrival.set(key, at);
		const sentIn = lifeOf(from, to);
		scheduler.at(at, () => {
			if (sentIn === lifeOf(from, to) && reachable(from, to)) receivers.get(to)?.onMessage(from, lane, bytes);
		});
		return true;
	}

	const reborn = (node: NodeId): void => void lives.set(node, (lives.get(node) ?? 0) + 1);

	return {
		connect: (node) => ({
			async start(receiver) {
				receivers.set(node, receiver);
				if (!cuts.has(node)) tell(node, true);
			},
			send: (to, lane, bytes) => send(node, to, lane, bytes),
			queuedBytes: () => 0,
			reachable: (other) => reachable(node, other),
			async stop() {
				if (!receivers.has(node)) return;
				reborn(node);
				if (!cuts.has(node)) tell(node, false);
				receivers.delete(node);
			},
		}),
		isolate(node, isCut) {
			if (cuts.has(node) === isCut) return;
			reborn(node);
			if (isCut) {
				tell(node, false);
				cuts.add(node);
			} else {
				cuts.delete(node);
				tell(node, true);
			}
		},
	};
}
