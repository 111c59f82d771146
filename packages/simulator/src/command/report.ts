// What `npm run simulate` prints.
import type { Coverage } from "../run/coverage.ts";
import type { FailureKind } from "../run/simulate.ts";
import type { TimedEvent } from "../trace/event.ts";
import type { Order, Outcome } from "./run-one.ts";

/** As VOPR does: a script can tell what kind of failure it was. */
export const exitCodes: Readonly<Record<FailureKind, number>> = { crash: 127, liveness: 128, safety: 129 };

export const defaultSeconds = 60;

export function replayCommand({ seed, profile, seconds }: Order): string {
	const budget = seconds === defaultSeconds ? "" : ` --seconds ${seconds}`;
	return `npm run simulate -- --seed ${seed} --profile ${profile}${budget}`;
}

export function failureText(outcome: Outcome, shownEvents: number): string {
	const { failure, order } = outcome;
	if (failure === null) return "";
	return [
		...(shownEvents === 0 ? [] : failure.events.slice(-shownEvents).map(eventText)),
		"",
		`FAILED seed ${order.seed}: ${failure.kind}, ${failure.property}`,
		failure.what,
		"",
		`replay: ${replayCommand(order)}`,
	].join("\n");
}

export function eventText(event: TimedEvent): string {
	const { at, type, ...fields } = event;
	const text = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
	return `${at.toFixed(3).padStart(12)} ${type} ${text.join(" ")}`;
}

/** A run that was not waited for: perhaps it would never have ended. */
export function underWayText(order: Order, forMs: number): string {
	return `under way for ${(forMs / 1_000).toFixed(1)} s: seed ${order.seed}, ${replayCommand(order)}`;
}

const nameOf = ([name]: readonly [name: string, times: number]): string => name;

/** `asked`: by property, how often it was; what nobody asked was not tested. */
export function coverageText(
	coverage: Coverage,
	asked: ReadonlyMap<string, number>,
	runs: number,
	seconds: number,
): string {
	const never = asked.size === 0 ? ["all"] : [...asked].filter(([, times]) => times === 0).map(nameOf);
	const hours = coverage.simulatedMs / 3_600_000;
	const speed = coverage.simulatedMs / 1_000 / Math.max(seconds, 0.001);
	const happened = [...coverage.happened].toSorted(([one], [other]) => (one < other ? -1 : 1));
	const counts = [
		`covered: ${runs} runs`,
		`${hours.toFixed(2)} simulated hours (${speed.toFixed(0)} simulated seconds a second)`,
		`${coverage.elections} elections`,
		`${coverage.crashes} crashes`,
		`${coverage.pauses} pauses`,
		`${coverage.partitions} partitions`,
		`${coverage.snapshots} snapshots`,
		`${coverage.operations} operations`,
		`${coverage.acknowledgedWrites} acknowledged writes`,
		`${coverage.lostWrites} of them lost in early modes (${coverage.reportedWrites} reported)`,
		`${coverage.undecided} undecided histories`,
		`properties never asked: ${never.length === 0 ? "none" : never.join(" and ")}`,
	].join(", ");
	return [`happened: ${happened.map(([name, times]) => `${name} ${times}`).join(", ")}`, counts].join("\n");
}
