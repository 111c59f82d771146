// What a measurement hands back, and the medians it is made of.

/** One line of the table of goals. `isMet` is null where nothing was promised. */
export interface Row {
	readonly measure: string;
	readonly atLeast: string;
	readonly aim: string;
	readonly measured: string;
	readonly isMet: boolean | null;
}

export interface Report {
	readonly rows: readonly Row[];
	/** Markdown: the figures of every round, and how they were got. */
	readonly details: string;
}

export interface Settings {
	readonly rounds: number;
	/** Of one measurement under load. */
	readonly seconds: number;
	/** Kills and handovers. */
	readonly events: number;
	readonly say: (line: string) => void;
}

export interface Measurement {
	readonly name: string;
	readonly title: string;
	run(settings: Settings): Promise<Report>;
}

export function median(values: readonly number[]): number {
	return quantile(values, 0.5);
}

export function quantile(values: readonly number[], share: number): number {
	const sorted = values.toSorted((a, b) => a - b);
	const at = (sorted.length - 1) * share;
	const below = sorted[Math.floor(at)];
	const above = sorted[Math.ceil(at)];
	if (below === undefined || above === undefined) throw new Error("a median of nothing");
	return below + (above - below) * (at - Math.floor(at));
}

/** Median, then lowest and highest: 9,361 (9,020–9,700). */
export function spread(values: readonly number[], digits = 0): string {
	return `${show(median(values), digits)} (${show(Math.min(...values), digits)}–${show(Math.max(...values), digits)})`;
}

export function show(value: number, digits = 0): string {
	return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
	const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
	return [line(head), line(head.map((_, index) => (index === 0 ? "---" : "--:"))), ...rows.map(line)].join(
		"\n",
	);
}
