// `npm run bench`: all measurements, or those that are named; keeps the last result of each in results.json and
// writes RESULTS.md from it.
import { parseArgs } from "node:util";
import { elections } from "./measurements/elections.ts";
import { failover } from "./measurements/failover.ts";
import { formats } from "./measurements/formats.ts";
import { handover } from "./measurements/handover.ts";
import { largeTransactions } from "./measurements/large-transactions.ts";
import { latency } from "./measurements/latency.ts";
import { longWork } from "./measurements/long-work.ts";
import { memory } from "./measurements/memory.ts";
import { modesOfWrites } from "./measurements/modes.ts";
import { readScaling } from "./measurements/read-scaling.ts";
import { reads } from "./measurements/reads.ts";
import { simulation } from "./measurements/simulation.ts";
import { writes } from "./measurements/writes.ts";
import { profile } from "./profile.ts";
import type { Measurement } from "./report.ts";
import { keepResult } from "./results.ts";

const measurements: readonly Measurement[] = [
	failover,
	handover,
	writes,
	latency,
	modesOfWrites,
	reads,
	readScaling,
	memory,
	longWork,
	largeTransactions,
	formats,
	simulation,
	elections,
];

const help = `npm run bench -- [NAME…] [--rounds N] [--seconds N] [--events N] [--dry]

Measures what is named, or everything: ${measurements.map((each) => each.name).join(", ")}.
  --rounds N   how often each is measured, the servers taking turns (3)
  --seconds N  how long each load runs (8)
  --events N   kills and handovers (20)
  --dry        prints the figures and keeps nothing
"profile" writes where the processor time of the leader goes under the write load, and keeps nothing either.
bench/setup.sh installs etcd, Go and PostgreSQL.`;

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		rounds: { type: "string", default: "3" },
		seconds: { type: "string", default: "8" },
		events: { type: "string", default: "20" },
		dry: { type: "boolean", default: false },
		help: { type: "boolean", default: false },
	},
});

const wanted = positionals.length === 0 ? measurements.map((each) => each.name) : positionals;
const unknown = wanted.filter(
	(name) => name !== "profile" && !measurements.some((each) => each.name === name),
);
if (values.help || unknown.length > 0) {
	if (unknown.length > 0) console.error(`there is no measurement ${unknown.join(", ")}\n`);
	console.log(help);
	process.exitCode = values.help ? 0 : 2;
} else {
	for (const name of wanted) await measure(name);
}

async function measure(name: string): Promise<void> {
	if (name === "profile") {
		await profile(Number(values.seconds));
		return;
	}
	const measurement = measurements.find((each) => each.name === name);
	if (measurement === undefined) throw new Error(`there is no measurement ${name}`);
	console.log(`${measurement.title} …`);
	const report = await measurement.run({
		rounds: Number(values.rounds),
		seconds: Number(values.seconds),
		events: Number(values.events),
		say: (line) => console.log(`  ${line}`),
	});
	for (const { isMet, measure, measured, atLeast } of report.rows) {
		const verdict = isMet === null ? "" : isMet ? "met: " : "NOT MET: ";
		console.log(`  ${verdict}${measure}: ${measured} (at least: ${atLeast})`);
	}
	if (values.dry) console.log(`\n${report.details}\n`);
	else {
		const command = [
			"npm run bench --",
			name,
			`--rounds ${values.rounds} --seconds ${values.seconds} --events ${values.events}`,
		];
		keepResult(measurement, report, command.join(" "), measurements);
	}
}
