/**
 * Who begins to read, and who must not meanwhile. A reader fixes its state by its first look into the database; the writer
 * closes the gate for a moment in which SQLite shows what is not committed in the log (changes/wal.ts). Reads that have
 * begun go on. In memory that all database threads share; where there is one thread only, nothing needs to be shared.
 */

export interface BeginGate {
	/** Runs a reader's first look. */
	begin<T>(look: () => T): T;
	/** Runs while nobody is inside `begin`. */
	whileClosed<T>(work: () => T): T;
}

/** For one thread. */
export const openGate: BeginGate = { begin: (look) => look(), whileClosed: (work) => work() };

/** A thread's own place at the gate: one that was ended inside `begin` is known not to be there any more. */
export interface Seat {
	readonly shared: Int32Array<SharedArrayBuffer>;
	readonly number: number;
}

export interface SharedGate {
	readonly shared: Seat["shared"];
	lend(): Seat;
	/** Its thread has ended. */
	giveBack(seat: Seat): void;
}

/** [0]: closed; behind it, for each seat, that its thread is inside `begin`. */
const closedAt = 0;
const maxSeats = 255;
/** Nobody misses a word; this bounds the wait for a thread that is ended. */
const waitMs = 50;
const maxWaitMs = 5_000;

export function createSharedGate(): SharedGate {
	const shared = new Int32Array(new SharedArrayBuffer(4 * (1 + maxSeats)));
	const free = Array.from({ length: maxSeats }, (_, at) => maxSeats - at);
	return {
		shared,
		lend() {
			const number = free.pop();
			if (number === undefined) throw new Error("too many threads read this database");
			return { shared, number };
		},
		giveBack({ number }) {
			Atomics.store(shared, number, 0);
			Atomics.notify(shared, number);
			free.push(number);
		},
	};
}

/** A reader's side. */
export function gateOf({ shared, number }: Seat): BeginGate {
	function enter(): void {
		for (;;) {
			Atomics.store(shared, number, 1);
			// In one order for all: either this sees that it is closed, or the writer sees who is inside.
			if (Atomics.load(shared, closedAt) === 0) return;
			leave();
			Atomics.wait(shared, closedAt, 1, waitMs);
		}
	}

	function leave(): void {
		Atomics.store(shared, number, 0);
		Atomics.notify(shared, number);
	}

	return {
		begin(look) {
			enter();
			try {
				return look();
			} finally {
				leave();
			}
		},
		whileClosed() {
			throw new Error("only the writer closes the gate");
		},
	};
}

/** The writer's side. */
export function gateOfWriter(shared: Seat["shared"]): BeginGate {
	function waitUntilEmpty(): void {
		const from = performance.now();
		for (let number = 1; number <= maxSeats; number++) {
			while (Atomics.load(shared, number) !== 0) {
				if (performance.now() - from > maxWaitMs)
					throw new Error("a reader has been beginning for seconds, and nothing can be captured meanwhile");
				Atomics.wait(shared, number, 1, waitMs);
			}
		}
	}

	return {
		begin: (look) => look(),
		whileClosed(work) {
			Atomics.store(shared, closedAt, 1);
			try {
				waitUntilEmpty();
				return work();
			} finally {
				Atomics.store(shared, closedAt, 0);
				Atomics.notify(shared, closedAt);
			}
		},
	};
}
