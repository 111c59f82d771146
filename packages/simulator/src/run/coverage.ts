/** What a run has been through: so that nobody takes a run in which nothing happened for a proof. */
import type { Count, TraceEvent } from "../trace/event.ts";
import { isSnapshot } from "../world/log-damage.ts";

export interface Coverage {
	simulatedMs: number;
	events: number;
	elections: number;
	crashes: number;
	pauses: number;
	partitions: number;
	snapshots: number;
	operations: number;
	acknowledgedWrites: number;
	/** Acknowledged early, and then lost. */
	lostWrites: number;
	/** Of those. */
	reportedWrites: number;
	/** Histories whose linearizability could not be decided. */
	undecided: number;
	/** Everything that went wrong, and what clients did and were told, by name: how often. */
	readonly happened: Map<string, number>;
}

export function noCoverage(): Coverage {
	return {
		simulatedMs: 0,
		events: 0,
		elections: 0,
		crashes: 0,
		pauses: 0,
		partitions: 0,
		snapshots: 0,
		operations: 0,
		acknowledgedWrites: 0,
		lostWrites: 0,
		reportedWrites: 0,
		undecided: 0,
		happened: new Map(),
	};
}

export function addCoverage(sum: Coverage, one: Coverage): void {
	const { happened, ...counts } = one;
	for (const name of Object.keys(counts) as (keyof typeof counts)[]) sum[name] += one[name];
	for (const [name, times] of happened) add(sum, name, times);
}

/** An acknowledged write. */
export function countMode(coverage: Coverage, mode: string): void {
	add(coverage, `acknowledged in mode ${mode}`);
}

export function createCount(coverage: Coverage): Count {
	return (name) => add(coverage, name);
}

function add({ happened }: Coverage, name: string, times = 1): void {
	happened.set(name, (happened.get(name) ?? 0) + times);
}

/** Counts what only the trace tells. */
export function createCounter(coverage: Coverage): (event: TraceEvent) => void {
	let lastTerm = 0;
	const names = createNames();
	return (event) => {
		const name = nameOf(event, names);
		if (name !== null) add(coverage, name);
		switch (event.type) {
			case "role":
				if (event["role"] !== "leader" || event["established"] !== true) return;
				if (Number(event["term"]) <= lastTerm) return;
				lastTerm = Number(event["term"]);
				coverage.elections++;
				return;
			case "crash":
			case "failed":
				coverage.crashes++;
				return;
			case "pause":
				coverage.pauses++;
				return;
			case "partition":
				coverage.partitions++;
				return;
			case "snapshot-installed":
				coverage.snapshots++;
				return;
			default:
		}
	};
}

type Names = (what: string, detail: string) => string;

/** `what (detail)`, put together once: a text that is new each time would have to be hashed each time that it is counted. */
function createNames(): Names {
	const all = new Map<string, Map<string, string>>();
	return (what, detail) => {
		const known = all.get(what) ?? new Map<string, string>();
		if (known.size === 0) all.set(what, known);
		const name = known.get(detail) ?? `${what} (${detail})`;
		known.set(detail, name);
		return name;
	};
}

/** Under which name it is counted in `happened`; null: too common to be told. */
function nameOf(event: TraceEvent, names: Names): string | null {
	switch (event.type) {
		case "message":
			if (event["late"] === true) return "message of an old connection";
			return event["copy"] === true ? "message twice" : null;
		case "message-lost":
			return names("message lost", field(event, "why"));
		case "crash":
			return `crash (${field(event, "kind")})`;
		case "crash-at-operation":
			return `crash ${field(event, "when")} an operation of the disk, ${field(event, "state")}`;
		case "pause":
			return `pause (${field(event, "kind")})`;
		case "slow":
			return `slow (${field(event, "what")})`;
		case "partition":
			return `partition (${field(event, "shape")}, ${field(event, "mode")})`;
		case "disk-error":
			return `disk error (${field(event, "operation")}, ${field(event, "mode")})`;
		case "disk-rot":
			return isSnapshot(field(event, "path"))
				? "disk rot (snapshot)"
				: `disk rot (${field(event, "verdict")})`;
		case "complete":
			return field(event, "outcome") === "ok"
				? "operation ok"
				: names(`operation ${field(event, "outcome")}`, field(event, "code"));
		case "beyond": {
			const away = Number(field(event, "refused")) + Number(field(event, "failed"));
			return away * 2 < Number(field(event, "of"))
				? "beyond: a majority is left"
				: "beyond: no majority is left";
		}
		case "plot":
			return `plot (${field(event, "plot")})`;
		case "members-changed":
			return `change of members (${field(event, "outcome")})`;
		case "client":
			return `client: ${field(event, "what")}`;
		case "start":
		case "members":
		case "change-members":
		case "started":
		case "role":
		case "log":
		case "applied":
		case "invoke":
		case "phase":
		case "connected":
		case "disconnected":
		case "cut":
		case "mend":
		case "resume":
		case "disk-resumes":
		case "disk-room":
		case "history":
		case "final-digest":
			return null;
		default:
			return event.type;
	}
}

function field(event: TraceEvent, name: string): string {
	return String((event as Readonly<Record<string, unknown>>)[name]);
}
