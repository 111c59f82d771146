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

function registers(seed: number, why: string, seconds = 20): Known {
	return { seed, profile: "registers", seconds, why };
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
	registers(1264533655, "a late heartbeat's answer confirmed rounds of the next leadership", 60),
	registers(77700196, "a snapshot ahead of a full disk cut away what was being taken back", 60),
	registers(1233424987, "both copies of term and vote lost after a failed sync", 60),
	registers(6000016, "a snapshot over links that lose a fifth took too long", 60),
	registers(291, "keys forgotten when a leader's clock was ahead"),
	registers(302523189, "a leader that hung in what its database applied led on", 60),
	registers(314001692, "a leader that cannot commit its barrier led on", 60),
	registers(900016, "a member that a snapshot brought up said that its disk was full", 30),
	registers(720003450, "an answer behind a change of members that others showed already", 60),
	registers(620600008, "a majority of empty disks founds the cluster again", 60),
	registers(
		109,
		"a deposed leader stored its successor's configuration, and passed over the rows before it",
		60,
	),
	registers(335, "a caretaker that reached nobody who may lead stood again and again before all others", 60),
	registers(
		255476928,
		"the only member that may lead had a database that did not fit, and led on and on",
		60,
	),
	registers(52286057, "a write went by the mode that its leader knew before it had applied everything", 60),
	registers(4, "two electors answered each other's answers without end", 60),
	registers(149828081, "a member whose configuration was behind began one round of zab after the other", 60),
	registers(149828165, "a leader that gave way was asked by bully to lead again, and again", 60),
	registers(238215841, "a choice of the mode among what is cut ended the report (the simulator's own)", 60),
	registers(40967186, "work begun on a slow disk outlasted the healing (the simulator's own)", 60),
	registers(56850769, "a witness tried again what had been cut meanwhile (the simulator's own)", 60),
	registers(934000034, "the same, of an entry that waited to be applied", 60),
	{
		seed: 630040004,
		profile: "sqlite",
		seconds: 20,
		why: "a batch behind one without foreign keys",
	},
	{
		seed: 52286057,
		profile: "sqlite",
		seconds: 20,
		why: "pieces of a transaction in wal whose end never came",
	},
	{
		seed: 149827476,
		profile: "sqlite",
		seconds: 20,
		why: "a choice of the mode whose pages came in pieces was not told to followers",
	},
	{
		seed: 911000973,
		profile: "sqlite",
		seconds: 20,
		why: "who had no room led again and again before a member stood in that never leads",
	},
	{
		seed: 911000837,
		profile: "sqlite",
		seconds: 20,
		why: "leadership was to be handed to who had been removed (the simulator's own)",
	},
	{
		seed: 920002063,
		profile: "sqlite",
		seconds: 20,
		why: "wishes that nobody shall lead arrived after they were taken back (the simulator's own)",
	},
];
