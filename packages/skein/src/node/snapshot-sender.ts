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
import type { SnapshotHolds } from "./snapshot-holds.ts";

/** A finished snapshot is kept for the next follower, or the next try, for this long. */
const keepMs: Milliseconds = 60_000;
const offerAgainMs: Milliseconds = 1_000;
const tryAgainMs: Milliseconds = 1_000;

interface Transfer {
	readonly to: NodeId;
	readonly term: Term;
	readonly atLeast: LogIndex;
	snapshot: SnapshotFile | null;
	file: DiskFile | null;
	acknowledged: number;
	sent: number;
	wanted: boolean;
	offeredAt: MonotonicTime;
	progressAt: MonotonicTime;
	/** When the next chunk may leave, by the allowed rate. */
	nextAt: MonotonicTime;
	pumping: boolean;
	over: boolean;
}

interface Current {
	readonly file: Promise<SnapshotFile>;
	ready: SnapshotFile | null;
	usedAt: MonotonicTime;
}

export interface SnapshotSender {
	/** `atLeast`: the snapshot must hold this index; default: one that the log continues. */
	send(to: NodeId, term: Term, atLeast?: LogIndex): void;
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
	readonly holds: SnapshotHolds;
	/** `index` null: the transfer failed. */
	readonly onEnd: (to: NodeId, index: LogIndex | null) => void;
}

export function createSnapshotSender(options: SnapshotSenderOptions): SnapshotSender {
	const { self, group, database, disk, network, clock, logger, settings, holds } = options;
	const transfers = new Map<NodeId, Transfer>();
	let current: Current | null = null;
	let timer: Timer | null = null;
	let stopped = false;

	/** One snapshot serves all followers that need one at about the same time. */
	async function takeSnapshot(atLeast: LogIndex): Promise<SnapshotFile> {
		if (current !== null) {
			const { file } = current;
			current.usedAt = clock.now();
			const ready = await file;
			if (ready.applied.index >= atLeast && options.stillUseful(ready.applied.index)) return ready;
			// Another transfer may have found the same, and begun the next one already.
			if (current?.file === file) await drop();
			if (current !== null) return await takeSnapshot(atLeast);
		}
		const made: Current = { file: database.createSnapshot(), ready: null, usedAt: clock.now() };
		current = made;
		try {
			made.ready = await made.file;
			return made.ready;
		} catch (error) {
			if (current === made) current = null;
			throw error;
		}
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
			const snapshot = await takeSnapshot(transfer.atLeast);
			if (transfer.over) return;
			holds.begin(transfer.to, snapshot.applied.index);
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
			fail(transfer);
		}
	}

	function offer(transfer: Transfer): void {
		const { snapshot } = transfer;
		if (snapshot === null || transfer.over) return;
		transfer.offeredAt = clock.now();
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
			fail(transfer);
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

	/**
	 * It could not be made, read or installed. The next try gets a new file, since this one may be damaged,
	 * and not at once: the core asks again within a heartbeat, and a copy of the database is dear.
	 */
	function fail(transfer: Transfer): void {
		const { snapshot } = transfer;
		transfer.snapshot = null;
		clock.setTimer(tryAgainMs, () => end(transfer, null));
		if (snapshot !== null && current?.ready === snapshot) dropQuietly();
	}

	function dropQuietly(): void {
		drop().catch((error: unknown) =>
			logger.warn({ error: String(error) }, "an old snapshot could not be removed"),
		);
	}

	function end(transfer: Transfer, index: LogIndex | null): void {
		if (transfer.over) return;
		transfer.over = true;
		transfers.delete(transfer.to);
		holds.end(transfer.to, index !== null);
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
				continue;
			}
			// Silence: an offer, a chunk or an answer may be lost. The follower says again where it is.
			if (now - Math.max(transfer.offeredAt, transfer.progressAt) > offerAgainMs) offer(transfer);
			if (transfer.wanted) void pump(transfer);
		}
		if (transfers.size === 0 && current !== null && now - current.usedAt > keepMs) dropQuietly();
		arm();
	}

	function arm(): void {
		if (timer !== null || stopped || (transfers.size === 0 && current === null)) return;
		timer = clock.setTimer(transfers.size > 0 ? settings.tickIntervalMs : offerAgainMs, look);
	}

	return {
		send(to, term, atLeast = 0) {
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
				atLeast,
				snapshot: null,
				file: null,
				acknowledged: 0,
				sent: 0,
				wanted: false,
				offeredAt: now,
				progressAt: now,
				nextAt: now,
				pumping: false,
				over: false,
			};
			transfers.set(to, transfer);
			holds.prepare(to);
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
			// A follower whose disk is full answers too, and gets nowhere.
			if (message.offset > transfer.acknowledged) transfer.progressAt = clock.now();
			transfer.acknowledged = message.offset;
			void pump(transfer);
		},
		onDone(message) {
			const transfer = transfers.get(message.from);
			if (transfer?.snapshot?.sha256 !== message.sha256) return;
			const { from: to, failure } = message;
			if (failure === null) return end(transfer, transfer.snapshot.applied.index);
			logger.warn({ to, failure }, "the follower could not install the snapshot");
			fail(transfer);
		},
		onReachable(node) {
			const transfer = transfers.get(node);
			if (transfer === undefined) return;
			transfer.wanted = false;
			offer(transfer);
		},
		onTermOver() {
			for (const transfer of transfers.values()) end(transfer, null);
			holds.clear();
		},
		async stop() {
			stopped = true;
			timer?.cancel();
			for (const transfer of transfers.values()) end(transfer, null);
			await drop();
		},
	};
}
