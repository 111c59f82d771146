/**
 * Seeds that failed once, run before fresh ones by `--corpus`. Each belongs to what was drawn from it
 * when it was added: later changes of the simulator make another run of it, so what must never come back
 * has a unit test or a scenario too (docs/found-by-simulation.md).
 */
import type { Order } from "./run-one.ts";

interface Known extends Order {
	/** What broke. */
	readonly why: string;
}

function registers(seed: number, why: string): Known {
	return { seed, profile: "registers", seconds: 20, why };
}

export const corpus: readonly Known[] = [
	registers(18, "routing: did-not-happen after a try that was lost"),
	registers(50, "forwarded requests numbered alike in two lives"),
	registers(21, "a doubled forwarded write executed twice"),
	registers(51, "a far-away follower's read never ended"),
	registers(93, "a read that timed out"),
	registers(2203, "a failed sync and the page cache"),
	registers(1265, "a leader whose database has no room led on"),
	registers(7045, "a leader that did not apply its barrier"),
	registers(7205, "a leader that cannot read its log led on"),
	{ seed: 3015, profile: "registers", seconds: 60, why: "a slice without room made its leader step down" },
	{ seed: 30339, profile: "registers", seconds: 30, why: "a leader whose disk hung while it read led on" },
	registers(1001363, "a full disk behind a misdirected write"),
	{ seed: 180039395, profile: "registers", seconds: 60, why: "a deadline that was set anew without end" },
	{
		seed: 38499722,
		profile: "registers",
		seconds: 60,
		why: "entries that were told to have failed and were applied",
	},
	{ seed: 253699594, profile: "registers", seconds: 60, why: "a commit that failed and had happened" },
	{ seed: 180039416, profile: "sqlite", seconds: 20, why: "a leader whose SQLite hung led on" },
	registers(100170, "rotten bits in what a cut leaves as its last record"),
	{
		seed: 1457100884,
		profile: "registers",
		seconds: 60,
		why: "an old copy of what was committed later is cut",
	},
	{
		seed: 190626643,
		profile: "registers",
		seconds: 60,
		why: "an entry that was read while it was taken back",
	},
	{
		seed: 620600008,
		profile: "registers",
		seconds: 60,
		why: "a majority of empty disks founds the cluster again",
	},
];
