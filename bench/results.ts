// RESULTS.md: the goals, what was measured last of each, and on what machine.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { type Measurement, type Report, table } from "./report.ts";
import { root } from "./skein/install.ts";

interface Kept {
	readonly report: Report;
	readonly date: string;
	readonly command: string;
	readonly machine: string;
	readonly commit: string;
}

const kept = join(import.meta.dirname, "results.json");
const page = join(import.meta.dirname, "RESULTS.md");

export function keepResult(
	measurement: Measurement,
	report: Report,
	command: string,
	order: readonly Measurement[],
): void {
	const all: Record<string, Kept> = existsSync(kept) ? JSON.parse(readFileSync(kept, "utf8")) : {};
	all[measurement.name] = {
		report,
		date: new Date().toISOString().slice(0, 16).replace("T", " "),
		command,
		machine: machine(),
		commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root }).toString().trim(),
	};
	writeFileSync(kept, `${JSON.stringify(all, null, "\t")}\n`);
	writeFileSync(page, render(all, order));
}

function render(all: Readonly<Record<string, Kept>>, order: readonly Measurement[]): string {
	const present = order.flatMap(({ name, title }) => {
		const result = all[name];
		return result === undefined ? [] : [{ title, ...result }];
	});
	const rows = present.flatMap(({ report }) =>
		report.rows.map(({ measure, atLeast, aim, measured, isMet }) => [
			measure,
			atLeast,
			aim,
			measured,
			isMet === null ? "" : isMet ? "met" : "**not met**",
		]),
	);
	const sections = present.map(
		({ title, report, date, command, commit, machine: where }) =>
			`## ${title}\n\n${report.details}\n\n\`${command}\`, ${date} UTC, commit ${commit}, ${where}.`,
	);
	return [
		"# What was measured",
		"Written by `npm run bench` (see [README.md](README.md) for how, and what the figures do not say); do not edit.",
		table(["measure", "at least", "aim", "measured", ""], rows),
		...sections,
		"",
	]
		.join("\n\n")
		.trimEnd()
		.concat("\n");
}

function machine(): string {
	const processors = cpus();
	const model = processors[0]?.model.trim() ?? "unknown processor";
	const memoryGiB = Math.round(totalmem() / 2 ** 30);
	return `${processors.length} × ${model}, ${memoryGiB} GiB, Linux ${release()} ${arch()}, Node.js ${process.versions.node}${versions()}`;
}

function versions(): string {
	const first = (program: string): string => {
		try {
			return `, ${execFileSync(program, ["--version"]).toString().split("\n")[0] ?? ""}`;
		} catch {
			return "";
		}
	};
	return first("etcd") + first("/usr/lib/postgresql/15/bin/postgres");
}
