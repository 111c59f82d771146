/**
 * The disk of one simulated node. It outlives the node's processes; each operation takes time, and a
 * crash cuts those that are under way: they have happened, or in part, or not. Files and promises of
 * a life that is over stay silent for ever.
 *
 * The worst that the Disk contract allows is always on (what is not synced may be lost, in any order and
 * part); everything else that goes wrong with disks happens only when it is asked for here.
 */
import type { Milliseconds } from "../../../skein/src/world/clock.ts";
import { crc32 } from "../../../skein/src/world/crc32.ts";
import type { Disk, DiskFile } from "../../../skein/src/world/disk.ts";
import type { Chance } from "../engine/chance.ts";
import { createLinkedList, type Linked } from "../engine/linked-list.ts";
import type { ScheduledEvent, Scheduler } from "../engine/scheduler.ts";
import type { Device } from "../machine/work-queue.ts";
import type { Tell } from "../trace/event.ts";
import { createDiskNames } from "./disk-names.ts";
import type { DiskSettings, OperationKind } from "./disk-settings.ts";
import type { SimulatedFile } from "./simulated-file.ts";

export type FailingOperation = "read" | "write" | "sync";

export interface SimulatedDisk extends Disk {
	/** "kill": the process ends, the system goes on and keeps what was written. "power": the machine stops. */
	crash(kind: "kill" | "power"): void;
	/** Everything is gone: another disk, empty. */
	wipe(): void;
	/** Operations neither happen nor end until `resume`. The rest of the node lives on. */
	hang(): void;
	resume(): void;
	/** As `hang`, from the moment at which the next checkpoint begins. */
	hangInCheckpoint(): void;
	/** That checkpoint has not begun yet. */
	readonly hangsSoon: boolean;
	/** Everything takes so many times longer; 1: as it should. */
	slow(factor: number): void;
	/**
	 * No more room than is used now and `slackBytes`. "taken": somebody else takes what becomes free, so removing
	 * files does not help.
	 */
	full(slackBytes: number, freed?: "kept" | "taken"): void;
	room(): void;
	/** The next operation of this kind fails with EIO; "sticky": and all after it. */
	fail(operation: FailingOperation, mode: "once" | "sticky"): void;
	/** Nothing fails any more because of `fail`. */
	works(): void;
	/** Bits of a durable byte turn over. */
	rotAt(path: string, offset: number, mask: number): void;
	/** The device will put the next write to a file whose path passes at another place of that file; it says nothing. */
	misdirectNextWrite(passes: (path: string) => boolean): void;
	/**
	 * When so many more operations have come to their end, calls `call` (once) just before that one
	 * happens, or after it and before the process hears. Meant for a crash at each such boundary.
	 */
	atOperation(number: number, when: "before" | "after", call: () => void): void;
	/** The same device, for the files of the database, which are not kept here (machine/work-queue.ts). */
	readonly device: Device;
	/** It has been hung or slow: who waits for it may have given up. */
	readonly hasHeldUp: boolean;
	/** All faults that can end have ended for good, and none of them begins again. Damage stays. */
	heal(): void;
	/**
	 * The same disk for one life of the process. `act` is asked before each operation; false: nothing happens, and
	 * nobody ever hears. `enter` is how the process hears of an end.
	 */
	through(door: DiskDoor): Disk;
	/** What a loss of power leaves of this file, if that is all that the process sees of it; else null. */
	durable(path: string): Uint8Array | null;
	/** As the process sees them. */
	files(): ReadonlyMap<string, SimulatedFile>;
	readonly operations: number;
}

export interface DiskDoor {
	act(): boolean;
	enter(hear: () => void): void;
}

const openDoor: DiskDoor = { act: () => true, enter: (hear) => hear() };

export interface SimulatedDiskOptions {
	/** For the trace. */
	readonly node: string;
	readonly scheduler: Scheduler;
	readonly chance: Chance;
	readonly settings: DiskSettings;
	readonly tell: Tell;
	/** A faster one with the same results, if the platform has it. */
	readonly checksum?: Disk["checksum"];
}

interface Operation extends Linked<Operation> {
	readonly bornIn: number;
	readonly door: DiskDoor;
	readonly kind: OperationKind;
	/** Its time was drawn while the disk was slow. */
	readonly isSlowed: boolean;
	event: ScheduledEvent | null;
	/** Carries it out and gives what tells the process. */
	carryOut(): () => void;
	/** It was under way when the process or the machine ended. */
	cut(): void;
}

export function createSimulatedDisk(options: SimulatedDiskOptions): SimulatedDisk {
	const { node, scheduler, chance, settings, tell } = options;
	const names = createDiskNames();
	const underWay = createLinkedList<Operation>();
	let life = 0;
	let isHung = false;
	let hangsInCheckpoint = false;
	let slowness = 1;
	let capacityBytes = Number.POSITIVE_INFINITY;
	/** Null: what becomes free is free. */
	let takenBeyondBytes: number | null = null;
	let isHealed = false;
	let hasHeldUp = false;
	const wakeCalls: (() => void)[] = [];
	/** Of work of the database that takes longer because the disk is slow. */
	const healedCalls: (() => void)[] = [];
	const failing = new Map<FailingOperation, "once" | "sticky">();
	let misdirects: ((path: string) => boolean) | null = null;
	let boundary: { left: number; readonly when: "before" | "after"; readonly call: () => void } | null = null;

	function latencyMs(kind: OperationKind): number {
		const { meanMs, spikeProbability, meanSpikeMs } = settings;
		const mean = meanMs[kind] * slowness;
		const spikeMs = !isHealed && chance.happens(spikeProbability) ? chance.exponential(meanSpikeMs) : 0;
		return mean / 2 + chance.exponential(mean / 2) + spikeMs;
	}

	function operation<T>(
		kind: OperationKind,
		door: DiskDoor,
		bornIn: number,
		work: () => T,
		cut: () => void = () => {},
	): Promise<T> {
		return new Promise((resolve, reject) => {
			// A process that has ended does nothing more.
			if (!door.act() || bornIn !== life) return;
			const one: Operation = {
				bornIn,
				door,
				kind,
				isSlowed: slowness > 1,
				event: null,
				carryOut() {
					try {
						const result = work();
						return () => resolve(result);
					} catch (error) {
						return () => reject(error instanceof Error ? error : new Error(String(error)));
					}
				},
				cut,
				before: null,
				behind: null,
				isLinked: false,
			};
			underWay.add(one);
			finishAfter(latencyMs(kind), one);
		});
	}

	function finishAfter(delayMs: Milliseconds, one: Operation): void {
		one.event = scheduler.after(delayMs, () => {
			one.event = null;
			if (!isHung) finish(one);
		});
	}

	/** What was begun while the disk was slow could last far beyond its recovery: from now on it takes what it takes on a good one. */
	function hasten(): void {
		for (const one of underWay.all()) {
			if (!one.isSlowed) continue;
			one.event?.cancel();
			finishAfter(latencyMs(one.kind), one);
		}
		for (const call of healedCalls.splice(0)) call();
	}

	function finish(one: Operation): void {
		const call = countDown();
		if (call?.when === "before") call.call();
		if (one.bornIn !== life) return;
		underWay.remove(one);
		disk.operations++;
		const answer = one.carryOut();
		if (call?.when === "after") call.call();
		if (one.bornIn === life) one.door.enter(answer);
	}

	function countDown(): typeof boundary {
		if (boundary === null) return null;
		boundary.left--;
		if (boundary.left > 0) return null;
		const reached = boundary;
		boundary = null;
		return reached;
	}

	function failIfTold(kind: FailingOperation): void {
		const mode = failing.get(kind);
		if (mode === undefined) return;
		if (mode === "once") failing.delete(kind);
		tell({ type: "disk-error", node, operation: kind, mode });
		throw diskError("EIO", `${kind} failed`);
	}

	function usedBytes(): number {
		let used = 0;
		for (const file of new Set(names.all().values())) used += file.sizeBytes;
		return used;
	}

	function takeFreed(): void {
		if (takenBeyondBytes === null) return;
		capacityBytes = Math.min(capacityBytes, usedBytes() + takenBeyondBytes);
	}

	function isFull(): boolean {
		// Most disks have no end: then nobody need count.
		takeFreed();
		return capacityBytes !== Number.POSITIVE_INFINITY && usedBytes() >= capacityBytes;
	}

	/** How many bytes of a write there is room for. */
	function roomFor(file: SimulatedFile, offset: number, length: number): number {
		if (capacityBytes === Number.POSITIVE_INFINITY) return length;
		takeFreed();
		const growth = Math.max(0, offset + length - file.sizeBytes);
		const free = Math.max(0, capacityBytes - usedBytes());
		return Math.max(0, length - Math.max(0, growth - free));
	}

	function pathOf(file: SimulatedFile): string | null {
		for (const [path, one] of names.all()) if (one === file) return path;
		return null;
	}

	/** Another place in the file where the whole write fits. */
	function placeFor(file: SimulatedFile, offset: number, length: number): number | null {
		if (misdirects === null) return null;
		const path = pathOf(file);
		if (path === null || !misdirects(path)) return null;
		const places: number[] = [];
		const sectorBytes = 512;
		for (let place = offset % sectorBytes; place + length <= file.sizeBytes; place += sectorBytes) {
			if (place !== offset) places.push(place);
		}
		if (places.length === 0) return null;
		misdirects = null;
		const misplacedAt = chance.pick(places);
		tell({ type: "disk-misdirected", node, path, offset, length, misplacedAt });
		return misplacedAt;
	}

	function write(file: SimulatedFile, offset: number, bytes: Uint8Array): void {
		const isFailing = failing.has("write");
		const room = isFailing ? chance.below(bytes.length + 1) : roomFor(file, offset, bytes.length);
		const fits = bytes.subarray(0, room);
		file.write(offset, fits, placeFor(file, offset, fits.length));
		if (isFailing) failIfTold("write");
		if (room === bytes.length) return;
		tell({ type: "disk-is-full", node });
		throw diskError("ENOSPC", "no space left on device");
	}

	function sync(file: SimulatedFile): void {
		if (failing.has("sync")) file.failSync(chance, settings.cacheAfterFailedSync);
		failIfTold("sync");
		file.sync();
	}

	function openFile(file: SimulatedFile, door: DiskDoor): DiskFile {
		const bornIn = life;
		return {
			read: (offset, length) =>
				operation("read", door, bornIn, () => {
					failIfTold("read");
					return file.read(offset, length);
				}),
			write(offset, chunks) {
				// The caller may change its bytes as soon as it has the promise.
				const bytes = join(chunks);
				return operation(
					"write",
					door,
					bornIn,
					() => write(file, offset, bytes),
					() => file.tear(offset, bytes.subarray(0, roomFor(file, offset, bytes.length)), chance),
				);
			},
			sync: () =>
				operation(
					"sync",
					door,
					bornIn,
					() => sync(file),
					() => {
						if (chance.happens(0.5) && !failing.has("sync")) file.sync();
					},
				),
			size: () => operation("name", door, bornIn, () => file.sizeBytes),
			truncate: (size) =>
				operation(
					"name",
					door,
					bornIn,
					() => file.truncate(size),
					maybe(() => file.truncate(size)),
				),
			close: () => operation("name", door, bornIn, () => {}),
		};
	}

	const maybe = (work: () => void) => () => {
		if (chance.happens(0.5)) work();
	};

	function open(path: string, create: boolean): SimulatedFile {
		const found = names.get(path);
		if (found !== undefined) return found;
		if (!create) throw diskError("ENOENT", `${path} is absent`);
		if (isFull() && chance.happens(0.5)) {
			tell({ type: "disk-is-full", node });
			throw diskError("ENOSPC", "no space left on device");
		}
		return names.create(path);
	}

	function rename(from: string, to: string): void {
		if (!names.rename(from, to)) throw diskError("ENOENT", `${from} is absent`);
	}

	function syncDirectory(directory: string): void {
		failIfTold("sync");
		names.sync(directory);
	}

	function end(): void {
		life++;
		boundary = null;
		healedCalls.length = 0;
		for (const one of underWay.all()) one.event?.cancel();
	}

	const through = (door: DiskDoor): Disk => ({
		list: (directory) => operation("name", door, life, () => names.list(directory)),
		makeDirectory: () => operation("name", door, life, () => {}),
		open: (path, { create }) =>
			operation(
				"name",
				door,
				life,
				() => openFile(open(path, create), door),
				maybe(() => {
					if (create && names.get(path) === undefined) names.create(path);
				}),
			),
		rename: (from, to) =>
			operation(
				"name",
				door,
				life,
				() => rename(from, to),
				maybe(() => names.rename(from, to)),
			),
		remove: (path) =>
			operation(
				"name",
				door,
				life,
				() => names.remove(path),
				maybe(() => names.remove(path)),
			),
		syncDirectory: (directory) =>
			operation(
				"name-sync",
				door,
				life,
				() => syncDirectory(directory),
				maybe(() => names.sync(directory)),
			),
		checksum: options.checksum ?? crc32,
	});

	const disk: SimulatedDisk & { operations: number } = {
		...through(openDoor),
		through,
		crash(kind) {
			end();
			// What a hung disk was asked for never reached it.
			if (!isHung) for (const one of underWay.all()) one.cut();
			underWay.clear();
			if (kind === "kill") return;
			names.loseCache(chance);
			for (const file of new Set(names.all().values())) file.loseCache(chance);
		},
		wipe() {
			end();
			underWay.clear();
			names.clear();
		},
		hang() {
			if (isHealed || isHung) return;
			isHung = true;
			hasHeldUp = true;
			tell({ type: "disk-hangs", node });
		},
		hangInCheckpoint() {
			hangsInCheckpoint = true;
		},
		resume() {
			if (!isHung) return;
			isHung = false;
			for (const call of wakeCalls.splice(0)) call();
			tell({ type: "disk-resumes", node });
			for (const one of underWay.all()) {
				// Those whose time had not come yet go on by themselves.
				if (one.event !== null) continue;
				finishAfter(chance.exponential(settings.meanMs.write), one);
			}
		},
		slow(factor) {
			if (isHealed) return;
			slowness = factor;
			hasHeldUp = true;
			tell({ type: "disk-slow", node, factor });
		},
		full(slackBytes, freed = "kept") {
			if (isHealed) return;
			capacityBytes = usedBytes() + slackBytes;
			takenBeyondBytes = freed === "taken" ? slackBytes : null;
			tell({ type: "disk-full", node, slackBytes, freed });
		},
		room() {
			takenBeyondBytes = null;
			capacityBytes = Number.POSITIVE_INFINITY;
			tell({ type: "disk-room", node });
		},
		fail(kind, mode) {
			if (!isHealed) failing.set(kind, mode);
		},
		works: () => failing.clear(),
		rotAt(path, offset, mask) {
			const file = names.get(path);
			if (file === undefined) throw new RangeError(`${path} is absent`);
			file.rot(offset, mask);
			tell({ type: "disk-rot", node, path, offset, mask });
		},
		misdirectNextWrite(passes) {
			if (!isHealed) misdirects = passes;
		},
		atOperation(number, when, call) {
			boundary = { left: number, when, call };
		},
		heal() {
			this.resume();
			this.room();
			isHealed = true;
			boundary = null;
			slowness = 1;
			hasten();
			failing.clear();
			misdirects = null;
			hangsInCheckpoint = false;
		},
		durable(path) {
			const file = names.get(path);
			const isDurable = file?.isClean === true && file.ghosts().length === 0 && names.isDurable(path);
			return isDurable ? file.read(0, file.sizeBytes) : null;
		},
		files: () => names.all(),
		get hasHeldUp() {
			return hasHeldUp;
		},
		get hangsSoon() {
			return hangsInCheckpoint;
		},
		device: {
			get slowness() {
				return slowness;
			},
			get whenAwake() {
				return isHung ? (call: () => void) => void wakeCalls.push(call) : null;
			},
			whenHealed: (call) => void healedCalls.push(call),
			failIfTold: () => failIfTold("write"),
			checkpointBegins() {
				if (!hangsInCheckpoint) return;
				hangsInCheckpoint = false;
				disk.hang();
			},
		},
		operations: 0,
	};
	return disk;
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
	const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
	let place = 0;
	for (const chunk of chunks) {
		bytes.set(chunk, place);
		place += chunk.length;
	}
	return bytes;
}

function diskError(code: string, text: string): Error {
	return Object.assign(new Error(`${code}: ${text}`), { code });
}
