/**
 * A follower's side of a snapshot: collects the chunks in a file, in whatever order they come, over broken
 * connections too, has it checked and installed, says how it ended. To each chunk it says up to where it has
 * everything: whether that is news, and what to send again, is for the sender to judge.
 */
import type { GroupId, NodeId, Position, Term } from "../consensus/types.ts";
import { encodeFor } from "../peer/encode-for.ts";
import type { SnapshotChunk, SnapshotOffer } from "../peer/message.ts";
import type { Disk, DiskFile } from "../world/disk.ts";
import type { Logger } from "../world/logger.ts";
import type { Network } from "../world/network.ts";
import type { AppliedIndex } from "./applied-index.ts";

export const snapshotDirectory = "snapshots";
const partSuffix = ".incoming";

/** Pieces that wait for what is missing before them; a sender's window never makes more. */
const maxPieces = 64;

interface Piece {
	readonly begin: number;
	readonly end: number;
}

interface Incoming {
	readonly offer: SnapshotOffer;
	readonly path: string;
	readonly file: DiskFile;
	/** Everything before is here. */
	received: number;
	/** What is here behind that, in order and apart from each other. */
	pieces: readonly Piece[];
	installing: boolean;
}

export interface SnapshotReceiver {
	onOffer(offer: SnapshotOffer): void;
	onChunk(chunk: SnapshotChunk): void;
	/** Removes what an earlier life left half received. */
	clean(): Promise<void>;
	stop(): Promise<void>;
}

export interface SnapshotReceiverOptions {
	readonly self: NodeId;
	readonly group: GroupId;
	readonly disk: Disk;
	readonly network: Network;
	readonly logger: Logger;
	readonly applied: AppliedIndex;
	readonly currentTerm: () => Term;
	readonly install: (path: string, sha256: string, applied: Position) => Promise<void>;
}

export function createSnapshotReceiver(options: SnapshotReceiverOptions): SnapshotReceiver {
	const { self, group, disk, network, logger } = options;
	let incoming: Incoming | null = null;
	/** Offers and chunks are handled one after the other: each waits for the disk. */
	let work: Promise<void> = Promise.resolve();
	let queued = 0;

	function enqueue(task: () => Promise<void>): void {
		// The sender never has more than its window on the way; more is somebody else's error.
		if (queued > 64) return;
		queued++;
		work = work
			.then(task)
			.catch((error: unknown) => logger.error({ error: String(error) }, "receiving a snapshot failed"))
			.finally(() => {
				queued--;
			});
	}

	async function handleOffer(offer: SnapshotOffer): Promise<void> {
		if (offer.term < options.currentTerm()) return;
		if (offer.applied.index <= options.applied.position.index) return done(offer, null);
		if (incoming?.offer.sha256 !== offer.sha256) {
			await abandon();
			const path = `${snapshotDirectory}/${offer.sha256}${partSuffix}`;
			await disk.makeDirectory(snapshotDirectory);
			const file = await disk.open(path, { create: true });
			// What is there already, if anything, may have gaps.
			incoming = { offer, path, file, received: 0, pieces: [], installing: false };
			logger.info(
				{ from: offer.from, index: offer.applied.index, sizeBytes: offer.sizeBytes },
				"receiving a snapshot: this node is too far behind for the log",
			);
		} else incoming = { ...incoming, offer };
		want(incoming);
		if (incoming.received === offer.sizeBytes) await install(incoming);
	}

	async function handleChunk(chunk: SnapshotChunk): Promise<void> {
		const current = incoming;
		if (current === null || current.offer.sha256 !== chunk.sha256 || current.offer.from !== chunk.from)
			return;
		if (current.installing) return;
		const { offset, bytes } = chunk;
		const end = offset + bytes.length;
		if (disk.checksum(bytes) !== chunk.checksum) {
			logger.warn({ offset }, "a snapshot chunk arrived damaged: asking again");
		} else if (end > current.offer.sizeBytes) {
			return;
		} else if (!isHere(current, offset, end)) {
			if (current.pieces.length >= maxPieces && offset > current.received) return;
			await current.file.write(offset, [bytes]);
			add(current, { begin: offset, end });
		}
		// Also to what is here already: the answer to it may be lost.
		want(current);
		if (current.received === current.offer.sizeBytes) await install(current);
	}

	async function install(current: Incoming): Promise<void> {
		current.installing = true;
		const { offer, path, file } = current;
		incoming = null;
		await file.close();
		try {
			await options.install(path, offer.sha256, offer.applied);
			logger.info({ index: offer.applied.index }, "snapshot installed");
			done(offer, null);
		} catch (error) {
			logger.error({ error: String(error) }, "the snapshot could not be installed");
			done(offer, String(error));
		}
		await disk.remove(path);
	}

	async function abandon(): Promise<void> {
		const old = incoming;
		incoming = null;
		if (old === null) return;
		await old.file.close();
		await disk.remove(old.path);
	}

	function want(current: Incoming): void {
		const { sha256, from } = current.offer;
		network.send(
			from,
			"control",
			encodeFor(network, "control", {
				type: "snapshot-want",
				group,
				from: self,
				to: from,
				sha256,
				offset: current.received,
			}),
		);
	}

	function done(offer: SnapshotOffer, failure: string | null): void {
		const { sha256, from } = offer;
		network.send(
			from,
			"control",
			encodeFor(network, "control", { type: "snapshot-done", group, from: self, to: from, sha256, failure }),
		);
	}

	return {
		onOffer: (offer) => enqueue(() => handleOffer(offer)),
		onChunk: (chunk) => enqueue(() => handleChunk(chunk)),
		async clean() {
			for (const name of await disk.list(snapshotDirectory))
				await disk.remove(`${snapshotDirectory}/${name}`);
		},
		async stop() {
			await work;
			await incoming?.file.close();
			incoming = null;
		},
	};
}

function isHere({ received, pieces }: Incoming, begin: number, end: number): boolean {
	return end <= received || pieces.some((piece) => piece.begin <= begin && end <= piece.end);
}

function add(current: Incoming, added: Piece): void {
	const pieces: Piece[] = [];
	for (const piece of [...current.pieces, added].sort((a, b) => a.begin - b.begin)) {
		const last = pieces.at(-1);
		if (piece.begin <= current.received) current.received = Math.max(current.received, piece.end);
		else if (last === undefined || piece.begin > last.end) pieces.push(piece);
		else pieces[pieces.length - 1] = { begin: last.begin, end: Math.max(last.end, piece.end) };
	}
	current.pieces = pieces;
}
