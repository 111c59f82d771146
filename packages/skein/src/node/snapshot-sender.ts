/**
 * The leader's side of a snapshot: offers one, and streams it in checked chunks, a few on their way
 * at a time and not faster than allowed, on a lane of its own. The follower says up to where it has
 * everything, so that a broken transfer of the same snapshot resumes; what is lost goes again by itself, one
 * chunk at a time, when its answer is overdue.
 */
import type { GroupId, LogIndex, NodeId, Term } from "../consensus/types.ts";
import type { Database, SnapshotFile } from "../database/database.ts";
import { encodeFor } from "../peer/encode-for.ts";
import type { SnapshotDone, SnapshotWant } from "../peer/message.ts";
import type { Clock, Milliseconds, MonotonicTime, Timer } from "../world/clock.ts";
import type { Disk, DiskFile } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import type { Network } from "../world/network.ts";
import type { NodeSettings } from "./settings.ts";
import type { SnapshotHolds } from "./snapshot-holds.ts";
import { createSnapshotPace, type SnapshotPace } from "./snapshot-pace.ts";

/** A finished snapshot is kept for the next follower, or the next try, for this long. */
const keepMs: Milliseconds = 60_000;
const lookMs: Milliseconds = 1_000;
const tryAgainMs: Milliseconds = 1_000;

interface Transfer {
	readonly to: NodeId;
	readonly term: Term;
	readonly atLeast: LogIndex;
	readonly pace: SnapshotPace;
	snapshot: SnapshotFile | null;
	file: DiskFile | null;
	/** The follower has everything before. */
	acknowledged: number;
	sent: number;
	/** What comes first after `acknowledged` is to go once more. */
	again: boolean;
	/** It answered, and the connection stands since. */
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
	readonly database: Pick<Database, "createSnapshot">;
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
		const bytes = encodeFor(network, "bulk", {
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
				const { file, snapshot, again, pace } = transfer;
				if (file === null || snapshot === null) return;
				const offset = again ? transfer.acknowledged : transfer.sent;
				const bytes = await file.read(offset, pace.chunkBytes);
				const stillMeant = again
					? transfer.again && transfer.acknowledged === offset
					: transfer.sent === offset;
				if (transfer.over || !stillMeant) continue;
				const message = encodeFor(network, "bulk", {
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
				const now = clock.now();
				if (again) {
					transfer.again = false;
					pace.sentAgain(now);
				} else {
					transfer.sent += bytes.length;
					pace.sent(transfer.sent, now);
				}
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

	function advance(transfer: Transfer, offset: number, now: MonotonicTime): void {
		transfer.pace.answered(offset, now);
		transfer.acknowledged = offset;
		// The follower may have had it from before.
		transfer.sent = Math.max(transfer.sent, offset);
		transfer.again = false;
		transfer.progressAt = now;
	}

	/** Whatever is on its way does not count. */
	function goOnFrom(transfer: Transfer, offset: number, now: MonotonicTime): void {
		// A follower whose disk is full answers too, and gets nowhere.
		if (offset > transfer.acknowledged) transfer.progressAt = now;
		transfer.pace.lost();
		transfer.acknowledged = offset;
		transfer.sent = offset;
		transfer.again = false;
		transfer.wanted = true;
	}

	function mayGoOn(transfer: Transfer): boolean {
		const size = transfer.snapshot?.sizeBytes ?? 0;
		const window = transfer.pace.chunkBytes * settings.snapshotWindowChunks;
		const hasNext = transfer.sent < size && transfer.sent - transfer.acknowledged < window;
		return !transfer.over && transfer.wanted && (transfer.again || hasNext) && transfer.nextAt <= clock.now();
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

	/** An offer, a chunk or an answer may be lost. Not where the rate alone is waited for. */
	function isSilent(transfer: Transfer, now: MonotonicTime): boolean {
		const { wanted, pace, sent, snapshot } = transfer;
		if (wanted && !pace.isWaiting && sent !== snapshot?.sizeBytes) return false;
		return now - Math.max(transfer.offeredAt, transfer.progressAt) >= pace.waitMs;
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
			if (isSilent(transfer, now)) {
				// The follower says where it is. Nothing goes again before that: the question travels behind what is on
				// its way, and on a slow link its answer shows that all of it has arrived.
				transfer.pace.asked();
				offer(transfer);
			}
			if (transfer.wanted) void pump(transfer);
		}
		if (transfers.size === 0 && current !== null && now - current.usedAt > keepMs) dropQuietly();
		arm();
	}

	function arm(): void {
		if (timer !== null || stopped || (transfers.size === 0 && current === null)) return;
		timer = clock.setTimer(transfers.size > 0 ? settings.tickIntervalMs : lookMs, look);
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
				pace: createSnapshotPace({
					maxChunkBytes: settings.snapshotChunkBytes,
					stallMs: settings.snapshotStallMs,
				}),
				snapshot: null,
				file: null,
				acknowledged: 0,
				sent: 0,
				again: false,
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
			const now = clock.now();
			if (!transfer.wanted) {
				transfer.pace.offerTook(now - transfer.offeredAt);
				goOnFrom(transfer, message.offset, now);
			} else if (message.offset > transfer.acknowledged) advance(transfer, message.offset, now);
			else if (message.offset === transfer.acknowledged) transfer.again ||= transfer.pace.isOverdue(now);
			// An old word that comes late; or the follower had to begin anew, and nothing else will come.
			else if (now - transfer.progressAt >= transfer.pace.waitMs) goOnFrom(transfer, message.offset, now);
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
			transfer.pace.lost();
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
