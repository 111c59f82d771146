/**
 * The leader's side of a snapshot: offers one, and streams it in checked chunks, a few on their way
 * at a time and not faster than allowed, on a lane of its own. The follower says from where it wants
 * to go on, so that a broken transfer of the same snapshot resumes.
 */
import type { GroupId, LogIndex, NodeId, Term } from "../consensus/types.ts";
import type { Database, SnapshotFile } from "../database/database.ts";
import { encodeMessage } from "../peer/codec/message.ts";
import type { SnapshotDone, SnapshotWant } from "../peer/message.ts";
import type { Clock, Milliseconds, MonotonicTime, Timer } from "../world/clock.ts";
import type { Disk, DiskFile } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import type { Network } from "../world/network.ts";
import type { NodeSettings } from "./settings.ts";

/** A finished snapshot is kept for the next follower, or the next try, for this long. */
const keepMs: Milliseconds = 60_000;
const offerAgainMs: Milliseconds = 1_000;

interface Transfer {
	readonly to: NodeId;
	readonly term: Term;
	snapshot: SnapshotFile | null;
	file: DiskFile | null;
	acknowledged: number;
	sent: number;
	wanted: boolean;
	progressAt: MonotonicTime;
	/** When the next chunk may leave, by the allowed rate. */
	nextAt: MonotonicTime;
	pumping: boolean;
	over: boolean;
}

export interface SnapshotSender {
	send(to: NodeId, term: Term): void;
	onWant(message: SnapshotWant): void;
	onDone(message: SnapshotDone): void;
	/** A new connection: what was on the way is lost, so the follower is asked where to go on. */
	onReachable(node: NodeId): void;
	/** Transfers of older terms end: this node does not lead any more. */
	onTermOver(): void;
	stop(): Promise<void>;
}

export interface SnapshotSenderOptions {
	readonly self: NodeId;
	readonly group: GroupId;
	readonly database: Database;
	readonly disk: Disk;
	readonly network: Network;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly settings: NodeSettings;
	/** The log still holds everything after this snapshot. */
	readonly stillUseful: (index: LogIndex) => boolean;
	/** `index` null: the transfer failed. */
	readonly onEnd: (to: NodeId, index: LogIndex | null) => void;
}

export function createSnapshotSender(options: SnapshotSenderOptions): SnapshotSender {
	const { self, group, database, disk, network, clock, logger, settings } = options;
	const transfers = new Map<NodeId, Transfer>();
	let current: { readonly file: Promise<SnapshotFile>; usedAt: MonotonicTime } | null = null;
	let timer: Timer | null = null;
	let stopped = false;

	/** One snapshot serves all followers that need one at about the same time. */
	async function takeSnapshot(): Promise<SnapshotFile> {
		if (current !== null) {
			const { file } = current;
			current.usedAt = clock.now();
			const ready = await file;
			if (options.stillUseful(ready.applied.index)) return ready;
			// Another transfer may have found the same, and begun the next one already.
			if (current?.file === file) await drop();
			if (current !== null) return await takeSnapshot();
		}
		const file = database.createSnapshot();
		current = { file, usedAt: clock.now() };
		file.catch(() => {
			if (current?.file === file) current = null;
		});
		return await file;
	}

	async function drop(): Promise<void> {
		const old = current;
		current = null;
		if (old === null) return;
		const file = await old.file.catch(() => null);
		if (file !== null) await disk.remove(file.path);
	}

	async function begin(transfer: Transfer): Promise<void> {
		try {
			const snapshot = await takeSnapshot();
			const file = await disk.open(snapshot.path, { create: false });
			if (transfer.over) return await file.close();
			transfer.snapshot = snapshot;
			transfer.file = file;
			transfer.progressAt = clock.now();
			logger.info(
				{ to: transfer.to, index: snapshot.applied.index, sizeBytes: snapshot.sizeBytes },
				"sending a snapshot to a follower that is too far behind",
			);
			offer(transfer);
		} catch (error) {
			logger.error({ to: transfer.to, error: String(error) }, "a snapshot could not be made");
			end(transfer, null);
		}
	}

	function offer(transfer: Transfer): void {
		const { snapshot } = transfer;
		if (snapshot === null || transfer.over || transfer.wanted) return;
		const bytes = encodeMessage({
			type: "snapshot-offer",
			group,
			from: self,
			to: transfer.to,
			term: transfer.term,
			sha256: snapshot.sha256,
			applied: snapshot.applied,
			configurationIndex: snapshot.configuration.index,
			configuration: snapshot.configuration.value,
			sizeBytes: snapshot.sizeBytes,
		});
		network.send(transfer.to, "bulk", bytes);
	}

	async function pump(transfer: Transfer): Promise<void> {
		if (transfer.pumping) return;
		transfer.pumping = true;
		try {
			while (mayGoOn(transfer)) {
				const { file, snapshot } = transfer;
				if (file === null || snapshot === null) return;
				const offset = transfer.sent;
				const bytes = await file.read(offset, settings.snapshotChunkBytes);
				if (transfer.over || transfer.sent !== offset) continue;
				const message = encodeMessage({
					type: "snapshot-chunk",
					group,
					from: self,
					to: transfer.to,
					sha256: snapshot.sha256,
					offset,
					checksum: disk.checksum(bytes),
					bytes,
				});
				if (!network.send(transfer.to, "bulk", message)) return;
				transfer.sent += bytes.length;
				const now = clock.now();
				transfer.nextAt =
					Math.max(transfer.nextAt, now - 1_000) + (bytes.length / settings.snapshotBytesPerSecond) * 1_000;
			}
		} catch (error) {
			logger.error({ to: transfer.to, error: String(error) }, "a snapshot could not be read");
			end(transfer, null);
		} finally {
			transfer.pumping = false;
		}
	}

	function mayGoOn(transfer: Transfer): boolean {
		const size = transfer.snapshot?.sizeBytes ?? 0;
		const window = settings.snapshotChunkBytes * settings.snapshotWindowChunks;
		return (
			!transfer.over &&
			transfer.wanted &&
			transfer.sent < size &&
			transfer.sent - transfer.acknowledged < window &&
			transfer.nextAt <= clock.now()
		);
	}

	function end(transfer: Transfer, index: LogIndex | null): void {
		if (transfer.over) return;
		transfer.over = true;
		transfers.delete(transfer.to);
		if (current !== null) current.usedAt = clock.now();
		transfer.file
			?.close()
			.catch((error: unknown) => logger.warn({ error: String(error) }, "closing a snapshot failed"));
		options.onEnd(transfer.to, index);
	}

	function look(): void {
		timer = null;
		const now = clock.now();
		for (const transfer of transfers.values()) {
			if (transfer.snapshot !== null && now - transfer.progressAt > settings.snapshotStallMs) {
				logger.warn(
					{ to: transfer.to, sentBytes: transfer.sent },
					"a snapshot transfer made no progress: giving up for now",
				);
				end(transfer, null);
			} else if (transfer.wanted) void pump(transfer);
			else if (now - transfer.nextAt > offerAgainMs) {
				transfer.nextAt = now;
				offer(transfer);
			}
		}
		if (transfers.size === 0 && current !== null && now - current.usedAt > keepMs) {
			drop().catch((error: unknown) =>
				logger.warn({ error: String(error) }, "an old snapshot could not be removed"),
			);
		}
		arm();
	}

	function arm(): void {
		if (timer !== null || stopped || (transfers.size === 0 && current === null)) return;
		timer = clock.setTimer(transfers.size > 0 ? settings.tickIntervalMs : offerAgainMs, look);
	}

	return {
		send(to, term) {
			if (stopped) return;
			const old = transfers.get(to);
			if (old !== undefined) {
				if (old.term === term) return;
				end(old, null);
			}
			const now = clock.now();
			const transfer: Transfer = {
				to,
				term,
				snapshot: null,
				file: null,
				acknowledged: 0,
				sent: 0,
				wanted: false,
				progressAt: now,
				nextAt: now,
				pumping: false,
				over: false,
			};
			transfers.set(to, transfer);
			void begin(transfer);
			arm();
		},
		onWant(message) {
			const transfer = transfers.get(message.from);
			if (transfer?.snapshot?.sha256 !== message.sha256 || message.offset > transfer.snapshot.sizeBytes)
				return;
			const repeated = transfer.wanted && message.offset <= transfer.acknowledged;
			if (!transfer.wanted || repeated) transfer.sent = message.offset;
			transfer.wanted = true;
			transfer.acknowledged = message.offset;
			transfer.progressAt = clock.now();
			void pump(transfer);
		},
		onDone(message) {
			const transfer = transfers.get(message.from);
			if (transfer?.snapshot?.sha256 !== message.sha256) return;
			if (message.failure !== null) {
				logger.warn(
					{ to: message.from, failure: message.failure },
					"the follower could not install the snapshot",
				);
			}
			end(transfer, message.failure === null ? transfer.snapshot.applied.index : null);
		},
		onReachable(node) {
			const transfer = transfers.get(node);
			if (transfer === undefined) return;
			transfer.wanted = false;
			offer(transfer);
		},
		onTermOver() {
			for (const transfer of transfers.values()) end(transfer, null);
		},
		async stop() {
			stopped = true;
			timer?.cancel();
			for (const transfer of transfers.values()) end(transfer, null);
			await drop();
		},
	};
}
