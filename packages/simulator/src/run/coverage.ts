/** What a run has been through: so that nobody takes a run in which nothing happened for a proof. */
import type { TraceEvent } from "../trace/event.ts";

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
		undecided: 0,
		happened: new Map(),
	};
}

export function addCoverage(sum: Coverage, one: Coverage): void {
	const { happened, ...counts } = one;
	for (const name of Object.keys(counts) as (keyof typeof counts)[]) sum[name] += one[name];
	for (const [name, times] of happened) add(sum, name, times);
}

function add({ happened }: Coverage, name: string, times = 1): void {
	happened.set(name, (happened.get(name) ?? 0) + times);
}

/** Counts what only the trace tells. */
export function createCounter(coverage: Coverage): (event: TraceEvent) => void {
	let lastTerm = 0;
	return (event) => {
		const name = nameOf(event);
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

/** Under which name it is counted in `happened`; null: too common to be told. */
function nameOf(event: TraceEvent): string | null {
	const field = (name: string): string => String((event as Readonly<Record<string, unknown>>)[name]);
	switch (event.type) {
		case "message":
			if (event["late"] === true) return "message of an old connection";
			return event["copy"] === true ? "message twice" : null;
		case "message-lost":
			return `message lost (${field("why")})`;
		case "crash":
			return `crash (${field("kind")})`;
		case "crash-at-operation":
			return `crash ${field("when")} an operation of the disk, ${field("state")}`;
		case "pause":
			return `pause (${field("kind")})`;
		case "slow":
			return `slow (${field("what")})`;
		case "partition":
			return `partition (${field("shape")}, ${field("mode")})`;
		case "disk-error":
			return `disk error (${field("operation")}, ${field("mode")})`;
		case "disk-rot":
			return `disk rot (${field("verdict")})`;
		case "complete":
			return `operation ${field("outcome")}${field("outcome") === "ok" ? "" : ` (${field("code")})`}`;
		case "beyond": {
			const away = Number(field("refused")) + Number(field("failed"));
			return away * 2 < Number(field("of")) ? "beyond: a majority is left" : "beyond: no majority is left";
		}
		case "plot":
			return `plot (${field("plot")})`;
		case "members-changed":
			return `change of members (${field("outcome")})`;
		case "client":
			return `client: ${field("what")}`;
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
			return null;
		default:
			return event.type;
	}
}
