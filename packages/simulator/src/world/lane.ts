/**
 * One lane from one node to another: at most one connection at a time, as tcp-network.ts has it, with
 * what is queued and under way. The first copies of what one connection carries arrive in order; all
 * else may happen: loss, copies, and what an old connection carried coming after a new one's.
 */
import type { NodeId } from "../../../skein/src/consensus/types.ts";
import type { Lane } from "../../../skein/src/world/network.ts";
import type { Chance } from "../engine/chance.ts";
import { createLinkedList, type Linked } from "../engine/linked-list.ts";
import { onlyLooked, type ScheduledEvent, type Scheduler, type WorldTime } from "../engine/scheduler.ts";
import type { Count, Tell } from "../trace/event.ts";
import type { NetworkSettings } from "./network-settings.ts";

/** Of what one call of `keepCopies` keeps. */
const maxKeptCopies = 50;

/** Where a connection leads: one life of the receiving process. */
export interface Door {
	readonly open: boolean;
	onMessage(from: NodeId, lane: Lane, bytes: Uint8Array): void;
}

/**
 * "reset": connections end and none is made. "hold": packets are lost and sent again, so all arrives if the
 * cut ends before the stall is noticed. "drop": what is sent vanishes, and the connection seems to stand.
 */
export type CutMode = "reset" | "hold" | "drop";

export interface LaneOptions {
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly settings: () => NetworkSettings;
	readonly tell: Tell;
	readonly count: Count;
	readonly from: NodeId;
	readonly to: NodeId;
	readonly lane: Lane;
	/** The process that a connection would reach now; null: none can be made. */
	readonly doorOf: () => Door | null;
	/** The sender hears that the connection was made or has ended. */
	readonly onNews: (ready: boolean) => void;
}

export interface SimulatedLane {
	/** As the sender believes. */
	readonly ready: boolean;
	send(bytes: Uint8Array): boolean;
	queuedBytes(): number;
	/** A connection may be possible now: it is made after a while, if it then still is. */
	dial(): void;
	/** The connection ends; `noticed` is left to chance if not given. */
	end(noticed?: boolean): void;
	/** The receiver's machine answers again, and knows nothing of the old connection. */
	refuse(): void;
	cut(mode: CutMode): void;
	mend(): void;
	clog(forMs: number): void;
	/**
	 * Of what is sent from now on, a copy of each of the next messages stays on the way: all of them come
	 * when the function that is returned is called, however much later and whatever came meanwhile.
	 */
	keepCopies(): () => void;
	/** The sending process is gone, with its memory. */
	die(): void;
}

interface Message extends Linked<Message> {
	readonly bytes: Uint8Array;
	readonly sentAt: WorldTime;
	readonly door: Door;
	arrival: ScheduledEvent | null;
}

type State =
	| { readonly type: "down" }
	| { readonly type: "dialling"; readonly event: ScheduledEvent }
	| { readonly type: "up"; readonly door: Door }
	/** Ended, and the sender does not know yet. */
	| { readonly type: "ghost" };

export function createLane(options: LaneOptions): SimulatedLane {
	const { scheduler, chance, tell, count, from, to, lane } = options;
	let state: State = { type: "down" };
	let blocked: "hold" | "drop" | null = null;
	/** In the order of their sending, which is that of their arrival. */
	const underWay = createLinkedList<Message>();
	let held: Message[] = [];
	let heldBytes = 0;
	/** What waits for the lane to take it, by when it will have. */
	let departures: { readonly at: WorldTime; readonly sizeBytes: number }[] = [];
	let queued = 0;
	let freeAt: WorldTime = 0;
	let lastArrival: WorldTime = 0;
	/** Grows with each connection: news and ends of an earlier one mean nothing. */
	let connection = 0;
	let stall: ScheduledEvent | null = null;
	/** Copies that stay on the way until they are let go. */
	const keepers = new Set<Message[]>();

	function lose(message: Pick<Message, "bytes" | "sentAt">, why: string): void {
		const { bytes, sentAt } = message;
		tell({ type: "message-lost", from, to, lane, sizeBytes: bytes.length, sentAt, why }, bytes);
	}

	/** `late`: its connection has ended before. */
	function deliver(message: Message, copy: boolean, late = false): void {
		const { bytes, sentAt, door } = message;
		if (!door.open) return lose(message, "nobody there");
		tell({ type: "message", from, to, lane, sizeBytes: bytes.length, sentAt, copy, late }, bytes);
		door.onMessage(from, lane, bytes);
	}

	function delayMs(): number {
		const { minDelayMs, meanDelayMs, spikeProbability, meanSpikeMs } = options.settings();
		const isSpike = chance.happens(spikeProbability);
		if (isSpike) count("message delayed (spike)");
		const spikeMs = isSpike ? chance.exponential(meanSpikeMs) : 0;
		return minDelayMs + chance.exponential(meanDelayMs) + spikeMs;
	}

	function fly(message: Message, departsAt: WorldTime): void {
		const arrivesAt = Math.max(departsAt + delayMs(), lastArrival);
		lastArrival = arrivesAt;
		underWay.add(message);
		for (const kept of keepers) if (kept.length < maxKeptCopies) kept.push(message);
		message.arrival = scheduler.at(arrivesAt, () => {
			underWay.remove(message);
			deliver(message, false);
		});
		const { duplicateProbability, meanDuplicateMs } = options.settings();
		if (!chance.happens(duplicateProbability)) return;
		scheduler.at(arrivesAt + chance.exponential(meanDuplicateMs), () => deliver(message, true));
	}

	function queuedBytes(): number {
		for (let first = departures[0]; first !== undefined && first.at <= scheduler.now; first = departures[0]) {
			queued -= first.sizeBytes;
			departures.shift();
		}
		return queued + heldBytes;
	}

	function hold(message: Message): void {
		held.push(message);
		heldBytes += message.bytes.length;
	}

	function takeHeld(): readonly Message[] {
		const taken = held;
		held = [];
		heldBytes = 0;
		return taken;
	}

	function takeIn(sizeBytes: number): WorldTime {
		const { bytesPerMs, clogProbability, meanClogMs } = options.settings();
		if (chance.happens(clogProbability)) clog(chance.exponential(meanClogMs));
		if (freeAt > scheduler.now) count(`message waited (${lane} queue)`);
		const departsAt = Math.max(scheduler.now, freeAt) + sizeBytes / bytesPerMs;
		freeAt = departsAt;
		if (departsAt > scheduler.now) {
			queued += sizeBytes;
			departures.push({ at: departsAt, sizeBytes });
		}
		return departsAt;
	}

	function clog(forMs: number): void {
		freeAt = Math.max(freeAt, scheduler.now + forMs);
		tell({ type: "clog", from, to, lane, forMs });
	}

	function send(bytes: Uint8Array): boolean {
		if (!self.ready) return false;
		const { maxQueuedBytes, lossProbability } = options.settings();
		if (queuedBytes() + bytes.length > maxQueuedBytes[lane]) {
			count(`message refused (${lane} queue is full)`);
			// Its peer reads nothing: old heartbeats help nobody (tcp-network.ts).
			if (lane === "control") end(true);
			return false;
		}
		const departsAt = takeIn(bytes.length);
		if (state.type !== "up") {
			lose({ bytes, sentAt: scheduler.now }, "ghost");
			return true;
		}
		const message: Message = {
			bytes,
			sentAt: scheduler.now,
			door: state.door,
			arrival: null,
			before: null,
			behind: null,
			isLinked: false,
		};
		if (blocked !== null) waitForStall();
		if (blocked === "hold") hold(message);
		else if (blocked === "drop") lose(message, "cut");
		else if (chance.happens(lossProbability)) lose(message, "chance");
		else fly(message, departsAt);
		return true;
	}

	function waitForStall(): void {
		stall ??= scheduler.after(options.settings().stallTimeoutMs, () => {
			stall = null;
			if (blocked !== null || state.type === "ghost") end(true);
		});
	}

	function noStall(): void {
		stall?.cancel();
		stall = null;
	}

	function dial(): void {
		if (state.type !== "down") return;
		if (options.doorOf() === null) return news(false);
		const { minDelayMs, meanReconnectMs } = options.settings();
		const delay = 4 * minDelayMs + chance.exponential(meanReconnectMs);
		const event = scheduler.after(delay, () => {
			const door = options.doorOf();
			state = { type: "down" };
			if (door !== null) return connect(door);
			return self.ready ? news(false) : onlyLooked;
		});
		state = { type: "dialling", event };
	}

	function connect(door: Door): void {
		const mine = ++connection;
		const { lateNewsProbability, meanLateNewsMs, meanConnectionMs } = options.settings();
		state = { type: "up", door };
		freeAt = scheduler.now;
		lastArrival = scheduler.now;
		departures = [];
		queued = 0;
		if (meanConnectionMs !== Number.POSITIVE_INFINITY) {
			scheduler.after(chance.exponential(meanConnectionMs), () => {
				const isCalm = options.settings().meanConnectionMs === Number.POSITIVE_INFINITY;
				return mine === connection && !isCalm ? end() : onlyLooked;
			});
		}
		const isLate = chance.happens(lateNewsProbability);
		if (!isLate) return news(true);
		scheduler.after(chance.exponential(meanLateNewsMs), () => {
			if (mine === connection && state.type === "up") news(true);
		});
	}

	function news(now: boolean): void {
		if (self.ready === now) return;
		self.ready = now;
		tell({ type: now ? "connected" : "disconnected", from, to, lane });
		options.onNews(now);
	}

	function end(noticed?: boolean): void {
		if (state.type === "down" || state.type === "dialling") return;
		if (state.type === "up") loseUnderWay();
		state = { type: "ghost" };
		const mine = ++connection;
		const after = (delayMs: number, isTold: boolean): void => {
			scheduler.after(delayMs, () =>
				mine === connection && state.type === "ghost" ? down(isTold) : onlyLooked,
			);
		};
		// Never inside a call of the sender: the news of a socket come as an event.
		if (noticed ?? !chance.happens(options.settings().silentProbability)) return after(0, true);
		waitForStall();
		// Or there is a new connection before anybody asked: then there never are news, and messages are missing.
		if (chance.happens(0.5)) after(chance.exponential(options.settings().meanReconnectMs), false);
	}

	function down(isTold: boolean): void {
		noStall();
		connection++;
		state = { type: "down" };
		if (isTold) news(false);
		dial();
	}

	function loseUnderWay(): void {
		const { lateProbability, meanLateMs } = options.settings();
		for (const message of takeHeld()) lose(message, "connection");
		for (const message of underWay.all()) {
			message.arrival?.cancel();
			if (!chance.happens(lateProbability)) lose(message, "connection");
			else scheduler.after(chance.exponential(meanLateMs), () => deliver(message, false, true));
		}
		underWay.clear();
	}

	const self: SimulatedLane & { ready: boolean } = {
		ready: false,
		send,
		queuedBytes,
		dial,
		end,
		refuse() {
			if (state.type === "ghost") end(true);
		},
		cut(mode) {
			if (mode === "reset") return end(true);
			blocked = mode;
			for (const message of underWay.all()) {
				message.arrival?.cancel();
				if (mode === "hold") hold(message);
				else lose(message, "cut");
			}
			if (!underWay.isEmpty) waitForStall();
			underWay.clear();
		},
		mend() {
			blocked = null;
			if (state.type !== "ghost") noStall();
			for (const message of takeHeld()) fly(message, scheduler.now);
			dial();
		},
		clog,
		keepCopies() {
			const kept: Message[] = [];
			keepers.add(kept);
			return () => {
				keepers.delete(kept);
				for (const message of kept.splice(0)) scheduler.after(0, () => deliver(message, true));
			};
		},
		die() {
			noStall();
			if (state.type === "dialling") state.event.cancel();
			// What the operating system had taken may still be sent, all of it, in order.
			if (chance.happens(0.5)) underWay.clear();
			if (state.type === "up") loseUnderWay();
			connection++;
			state = { type: "down" };
			self.ready = false;
		},
	};
	return self;
}
