/** Disk, network and clock as one life of a process sees them: through its door (life.ts). */
import type { Clock } from "../../../skein/src/world/clock.ts";
import type { Disk, DiskFile } from "../../../skein/src/world/disk.ts";
import type { Network } from "../../../skein/src/world/network.ts";
import type { Life } from "./life.ts";

export function gatedDisk(disk: Disk, life: Life): Disk {
	function through<T>(work: () => Promise<T>): Promise<T> {
		return life.act() ? life.completion(work()) : never();
	}

	function gatedFile(file: DiskFile): DiskFile {
		return {
			read: (offset, length) => through(() => file.read(offset, length)),
			write: (offset, chunks) => through(() => file.write(offset, chunks)),
			sync: () => through(() => file.sync()),
			size: () => through(() => file.size()),
			truncate: (size) => through(() => file.truncate(size)),
			close: () => through(() => file.close()),
		};
	}

	return {
		list: (directory) => through(() => disk.list(directory)),
		makeDirectory: (directory) => through(() => disk.makeDirectory(directory)),
		open: (path, options) => through(() => disk.open(path, options).then(gatedFile)),
		rename: (from, to) => through(() => disk.rename(from, to)),
		remove: (path) => through(() => disk.remove(path)),
		syncDirectory: (directory) => through(() => disk.syncDirectory(directory)),
		checksum: disk.checksum,
	};
}

export function gatedNetwork(network: Network, life: Life): Network {
	return {
		start: (receiver) =>
			life.completion(
				network.start({
					onMessage: (from, lane, bytes) => life.enter(() => receiver.onMessage(from, lane, bytes)),
					onReachable: (node, reachable) => life.enter(() => receiver.onReachable(node, reachable)),
				}),
			),
		send: (to, lane, bytes) => life.act() && network.send(to, lane, bytes),
		queuedBytes: (to, lane) => network.queuedBytes(to, lane),
		reachable: (node) => network.reachable(node),
		meet: (nodes) => network.meet(nodes),
		stop: () => (life.act() ? life.completion(network.stop()) : never()),
	};
}

export function gatedClock(clock: Clock, life: Life): Clock {
	return {
		now: () => clock.now(),
		wallTime: () => clock.wallTime(),
		setTimer: (delayMs, callback) => clock.setTimer(delayMs, () => life.enter(callback)),
	};
}

function never<T>(): Promise<T> {
	return new Promise(() => {});
}
