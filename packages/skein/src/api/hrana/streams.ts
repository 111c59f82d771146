/**
 * Open streams over HTTP: who holds which, by baton. A stream is either with a request (taken) or
 * waiting for the next one (kept, under an idle limit). A baton is good for one request, so the
 * requests of one stream can only come one after the other.
 */
import { SkeinError } from "../../../../client/src/errors.ts";
import type { Service, Stream } from "../../node/service.ts";
import type { Clock, MonotonicTime, Timer } from "../../world/clock.ts";
import type { Random } from "../../world/random.ts";
import type { ApiLimits } from "../limits.ts";
import { createBatons } from "./batons.ts";

export interface OpenStream {
	readonly id: number;
	readonly stream: Stream;
	/** SQL texts that the client stored, by its own number. */
	readonly storedSql: Map<number, string>;
	sequence: number;
	/** Why its transaction ended, while its client may not know of it: see ended-transaction.ts. */
	transactionEnd: SkeinError | null;
	/** Null while a request holds the stream. */
	idleTimer: Timer | null;
}

export interface Streams {
	/** Throws OVERLOADED. */
	open(): OpenStream;
	/** The stream that waits under this baton; throws STREAM_EXPIRED, STREAM_NOT_OPEN or BATON_REUSED. */
	take(baton: string): OpenStream;
	/** Lets the stream wait for its client's next request, which must show the baton that is returned. */
	keep(open: OpenStream): string;
	/** Rolls back what is open. */
	close(open: OpenStream): Promise<void>;
	closeAll(): Promise<void>;
	count(): number;
}

interface StreamsOptions {
	readonly service: Service;
	readonly clock: Clock;
	readonly random: Random;
	readonly limits: ApiLimits;
}

export function createStreams({ service, clock, random, limits }: StreamsOptions): Streams {
	const batons = createBatons(random);
	const streams = new Map<number, OpenStream>();
	/** Stream id to when it expired; in the order of expiry. */
	const expired = new Map<number, MonotonicTime>();
	let lastId = 0;

	async function close(open: OpenStream): Promise<void> {
		open.idleTimer?.cancel();
		streams.delete(open.id);
		await open.stream.close();
	}

	function expire(open: OpenStream): void {
		const now = clock.now();
		for (const [id, at] of expired) {
			if (now - at < limits.expiredMemoryMs && expired.size < limits.maxExpiredRemembered) break;
			expired.delete(id);
		}
		expired.set(open.id, now);
		// Never rejects (Stream.close), and nobody waits for it.
		void close(open);
	}

	return {
		open() {
			if (streams.size >= limits.maxStreams) {
				throw new SkeinError(
					`${limits.maxStreams} streams are open on this node: close some, or try again later`,
					{
						code: "OVERLOADED",
					},
				);
			}
			lastId++;
			const open: OpenStream = {
				id: lastId,
				stream: service.openStream(),
				storedSql: new Map(),
				sequence: 0,
				transactionEnd: null,
				idleTimer: null,
			};
			streams.set(open.id, open);
			return open;
		},
		take(baton) {
			const content = batons.open(baton);
			if (content === null) {
				throw new SkeinError(
					"this baton is not of this node, or from before its last start: its stream is gone, what it held was rolled back",
					{
						code: "STREAM_NOT_OPEN",
					},
				);
			}
			const open = streams.get(content.streamId);
			if (open === undefined) throw goneStream(expired.has(content.streamId), limits.streamIdleMs);
			if (open.idleTimer === null || open.sequence !== content.sequence) {
				throw new SkeinError(
					"this baton was used before; each answer brings the baton for the next request",
					{
						code: "BATON_REUSED",
					},
				);
			}
			open.idleTimer.cancel();
			open.idleTimer = null;
			return open;
		},
		keep(open) {
			open.sequence++;
			open.idleTimer = clock.setTimer(limits.streamIdleMs, () => expire(open));
			return batons.seal({ streamId: open.id, sequence: open.sequence });
		},
		close,
		async closeAll() {
			await Promise.all([...streams.values()].map(close));
		},
		count: () => streams.size,
	};
}

function goneStream(hasExpired: boolean, idleMs: number): SkeinError {
	return hasExpired
		? new SkeinError(
				`the stream expired: nothing was sent on it for ${idleMs / 1000} s, what it held was rolled back`,
				{
					code: "STREAM_EXPIRED",
				},
			)
		: new SkeinError("the stream is closed", { code: "STREAM_NOT_OPEN" });
}
