/** What a run has been through: so that nobody takes a run in which nothing happened for a proof. */
import type { TimedEvent } from "../trace/event.ts";

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
	};
}

export function addCoverage(sum: Coverage, one: Coverage): void {
	for (const name of Object.keys(sum) as (keyof Coverage)[]) sum[name] += one[name];
}

/** Counts what only the trace tells. */
export function createCounter(coverage: Coverage): (event: TimedEvent) => void {
	let lastTerm = 0;
	return (event) => {
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
