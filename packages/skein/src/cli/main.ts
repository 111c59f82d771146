// The command line: commands and their help, made from the table of options; each command's code is loaded when it runs.
import { existsSync } from "node:fs";
import { Command, CommanderError, Option as CommanderOption } from "commander";
import { acknowledgementForms } from "../database/acknowledgement-text.ts";
import {
	benchOptions,
	consensusTuning,
	devOptions,
	electorOptions,
	explainOptions,
	formatOptions,
	lostOptions,
	memberAddOptions,
	memberOptions,
	membersOptions,
	modeOptions,
	nodeTuning,
	type OptionTable,
	type OptionValues,
	pauseElectionsOptions,
	recoverOptions,
	resumeElectionsOptions,
	sqlOptions,
	standOptions,
	startOptions,
	statusOptions,
	stepDownOptions,
	transferOptions,
} from "./options.ts";
import { environmentName, flagName, resolveOptions } from "./resolve-options.ts";
import { UsageError } from "./usage-error.ts";
import { skeinVersion } from "./version.ts";

const configurationFileName = "skein.config.json";

/** Runs one command and leaves the exit code in `process.exitCode`: 0 done, 1 failed, 2 wrong usage. */
export async function main(commandLine: readonly string[]): Promise<void> {
	surviveClosedOutput();
	try {
		await program().parseAsync(commandLine, { from: "user" });
	} catch (error) {
		process.exitCode = report(error);
	}
}

/** `skein … | head`: who reads our output has enough. Without a listener the process would end with a stack trace. */
function surviveClosedOutput(): void {
	for (const output of [process.stdout, process.stderr]) {
		output.on("error", (error: NodeJS.ErrnoException) => {
			if (error.code !== "EPIPE") throw error;
		});
	}
}

/** Returns the exit code. Commander has already printed what it has to say. */
function report(error: unknown): number {
	if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
	if (error instanceof UsageError) {
		console.error(`skein: ${error.message}\n${tryHelp(error.command)}`);
		return 2;
	}
	const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
	console.error(`skein: ${error instanceof Error ? error.message : String(error)}${code}`);
	if (process.env["SKEIN_LOG_LEVEL"] === "debug" && error instanceof Error) console.error(error.stack);
	return 1;
}

function program(): Command {
	const root = new Command("skein")
		.description("A replicated SQLite database: one leader orders every write, followers replay it.")
		.version(skeinVersion(), "-V, --version")
		.exitOverride()
		.showSuggestionAfterError()
		.showHelpAfterError(tryHelp(null))
		.configureHelp({ sortSubcommands: false })
		.addHelpText("after", rootHelp);

	addCommand(root, "dev", devOptions, {
		description: "run a cluster on this machine until Ctrl-C; nodes that die are started again",
		examples: ["skein dev", "skein dev --nodes 5 --port 9000 --data /tmp/geese"],
		run: async (values) => (await import("./dev.ts")).dev(values),
	});
	addCommand(root, "start", startOptions, {
		description: "run one node until SIGTERM or Ctrl-C; it hands leadership over before it stops",
		examples: [
			"skein start --id n1 --data /var/lib/skein",
			"skein start --id n1 --listen 0.0.0.0:8080 --peer 10.0.0.1:18080 \\\n" +
				"      --cluster n1=10.0.0.1:18080,n2=10.0.0.2:18080,n3=10.0.0.3:18080",
			"skein start --id n4 --peer 10.0.0.4:18080 --join http://10.0.0.1:8080",
		],
		run: async (values) => (await import("./start.ts")).start(values),
	});
	addCommand(root, "sql", sqlOptions, {
		argument: ["[sql]", "one or more statements; without: an interactive shell, or a script from stdin"],
		description: "run SQL, or open a shell",
		examples: [
			'skein sql "select * from goose"',
			"skein sql --json \"insert into goose (name) values ('Akka')\"",
			"skein sql < script.sql",
			"skein sql --url http://10.0.0.1:8080,http://10.0.0.2:8080",
		],
		run: async (values, argument) => (await import("./sql.ts")).sql(values, argument),
	});
	addCommand(root, "status", statusOptions, {
		description: "show the nodes: role, term, commit and applied index, lag, health",
		examples: ["skein status", "skein status --watch", "skein status --json | jq .databases.default.leader"],
		run: async (values) => (await import("./status.ts")).status(values),
	});
	addCommand(root, "transfer", transferOptions, {
		argument: ["[node]", "the node to lead next; without: the one that is most up to date"],
		description: "hand leadership over",
		examples: ["skein transfer n2", "skein transfer"],
		run: async (values, argument) => (await import("./transfer.ts")).transfer(values, argument),
	});
	addCommand(root, "step-down", stepDownOptions, {
		argument: ["[node]", "only if it leads: then it may be said twice; without: whoever leads, each time"],
		description: "the leader stops to lead, and does not stand for a while; somebody else leads",
		examples: ["skein step-down n1", "skein step-down --rest-ms 300000", "skein step-down --dry-run"],
		run: async (values, argument) => (await import("./step-down.ts")).stepDown(values, argument),
	});
	addCommand(root, "pause-elections", pauseElectionsOptions, {
		description: "for maintenance: for a while no node takes leadership by itself, also if the leader dies",
		examples: ["skein pause-elections", "skein pause-elections --for-ms 1800000"],
		run: async (values) => (await import("./pause-elections.ts")).pauseElections(values),
	});
	addCommand(root, "resume-elections", resumeElectionsOptions, {
		description: "ends a pause of elections",
		examples: ["skein resume-elections"],
		run: async (values) => (await import("./pause-elections.ts")).resumeElections(values),
	});
	addCommand(root, "elector", electorOptions, {
		argument: ["[elector]", "raft, bully, zab or manual; without: tells which one it is"],
		description: "choose who stands for leadership, and when, on the running cluster",
		examples: ["skein elector", "skein elector bully", "skein elector manual --dry-run"],
		run: async (values, argument) => (await import("./elector.ts")).elector(values, argument),
	});
	addCommand(root, "stand", standOptions, {
		argument: ["[node]", "which one; without: the one that is asked"],
		description:
			"where nobody leads, a node asks for leadership now; with elector manual nobody else decides",
		examples: ["skein stand n1", "skein stand n1 --url http://10.0.0.2:8080"],
		run: async (values, argument) => (await import("./elector.ts")).stand(values, argument),
	});
	addCommand(root, "members", membersOptions, {
		description: "show who belongs to the cluster, who votes and who leads",
		examples: ["skein members", "skein members --json"],
		run: async (values) => (await import("./members.ts")).members(values),
	});
	addCommand(root, "lost", lostOptions, {
		argument: ["[action]", "list, show, replay or dismiss"],
		second: ["[name]", "which one: TERM-INDEX, as the list has it"],
		description:
			"what a node reports as acknowledged early and lost with its leader; replay makes it again, dismiss removes the report",
		examples: [
			"skein lost list --data /var/lib/skein",
			"skein lost show 3-17 --data /var/lib/skein",
			"skein lost replay 3-17 --data /var/lib/skein --url http://127.0.0.1:8080",
			"skein lost dismiss 3-17 --data /var/lib/skein",
		],
		run: async (values, action, name) => (await import("./lost.ts")).lost(values, action, name),
	});
	const member = root
		.command("member")
		.description(
			"add, remove, promote or demote a node, or say whether it is to lead: add, remove, promote, demote, priority",
		);
	addCommand(member, "add", memberAddOptions, {
		argument: ["<node>", "its id: a new one, that no node of this cluster ever had"],
		description:
			"a node joins: as a learner until it keeps pace, then it votes; with --learner it stays one; with --witness it votes and keeps no data",
		examples: [
			"skein member add n4 --peer 10.0.0.4:18080",
			"skein member add r1 --peer 10.0.0.9:18080 --learner",
			"skein member add w1 --peer 10.0.0.7:18080 --witness",
		],
		run: async (values, argument) => (await import("./member.ts")).addMember(values, argument),
	});
	const kinds = {
		remove: "a node leaves for good: its id is never used again",
		promote: "a learner votes from now on",
		demote: "a voter only gets the log from now on",
	};
	for (const kind of ["remove", "promote", "demote"] as const) {
		addCommand(member, kind, memberOptions, {
			argument: ["<node>", "its id"],
			description: kinds[kind],
			examples: [`skein member ${kind} n2`, `skein member ${kind} n2 --dry-run`],
			run: async (values, argument) => (await import("./member.ts")).changeMember(kind, values, argument),
		});
	}
	addCommand(member, "priority", memberOptions, {
		argument: ["<node>", "its id"],
		second: ["<priority>", "preferred: it gets leadership when it is well; never: it does not lead; normal"],
		description: "whether a node is to lead",
		examples: ["skein member priority n1 preferred", "skein member priority n3 never --dry-run"],
		run: async (values, node, priority) =>
			(await import("./member.ts")).changePriority(values, node, priority),
	});
	addCommand(root, "recover", recoverOptions, {
		description:
			"a new cluster from a survivor's data directory, when a majority is gone for good; says what may be lost, and asks",
		examples: [
			"skein recover --data /var/lib/skein --dry-run",
			"skein recover --data /var/lib/skein --survivors /mnt/n2/skein,http://10.0.0.4:8080",
			'skein recover --data /var/lib/skein --confirm "n1 and n2 are gone for good, and what came after 3.100 is lost"',
		],
		run: async (values) => (await import("./recover.ts")).recover(values),
	});
	addCommand(root, "format", formatOptions, {
		argument: ["[format]", "row, statement or wal; without: tells which one it is"],
		description: "choose what the log holds: the rows that changed, or SQL where that is safe",
		examples: ["skein format", "skein format statement"],
		run: async (values, argument) => (await import("./format.ts")).format(values, argument),
	});
	addCommand(root, "mode", modeOptions, {
		argument: ["[mode]", `${acknowledgementForms}; without: tells which one it is`],
		description: "choose when writes are answered that do not say so themselves (Skein-Ack)",
		examples: ["skein mode", "skein mode sync", 'skein mode "semi-sync;k=2"'],
		run: async (values, argument) => (await import("./mode.ts")).mode(values, argument),
	});
	addCommand(root, "explain", explainOptions, {
		argument: ["[sql]", "one or more statements; none of them runs"],
		description: "say how statements would be logged, and why",
		examples: [
			'skein explain "update goose set weight = weight + 1"',
			'skein explain --format statement --json "delete from goose where id in (select id from old limit 3)"',
		],
		run: async (values, argument) => (await import("./explain.ts")).explain(values, argument),
	});
	addCommand(root, "bench", benchOptions, {
		description: "measure writes and reads per second against --url",
		examples: ["skein bench", "skein bench --clients 16 --seconds 10 --rows-per-request 100 --writes"],
		run: async (values) => (await import("./bench.ts")).bench(values),
	});
	return root;
}

function tryHelp(command: string | null): string {
	return `Try: skein ${command === null ? "" : `${command} `}--help`;
}

const rootHelp = `
Start here:
  $ skein dev                              three nodes on this machine
  $ skein sql "select sqlite_version()"    in a second terminal
  $ skein status

Every option is also an environment variable (--log-level: SKEIN_LOG_LEVEL) and a key of
${configurationFileName} in the working directory, or of the file named by --config ("logLevel").
A flag wins over the environment, the environment over the file.
Exit codes: 0 done, 1 failed, 2 wrong usage.`;

interface CommandDefinition<Table extends OptionTable> {
	readonly argument?: readonly [name: string, description: string];
	readonly second?: readonly [name: string, description: string];
	readonly description: string;
	readonly examples: readonly string[];
	readonly run: (
		values: OptionValues<Table>,
		argument: string | undefined,
		second: string | undefined,
	) => Promise<void>;
}

function addCommand<Table extends OptionTable>(
	root: Command,
	name: string,
	table: Table,
	definition: CommandDefinition<Table>,
): void {
	const path = root.parent === null ? name : `${root.name()} ${name}`;
	const command = root.command(name).description(definition.description).showHelpAfterError(tryHelp(path));
	if (definition.argument !== undefined) command.argument(...definition.argument);
	if (definition.second !== undefined) command.argument(...definition.second);
	for (const [key, option] of Object.entries(table)) {
		const short = option.short === null ? "" : `-${option.short}, `;
		const value = option.placeholder === null ? "" : ` <${option.placeholder}>`;
		const description = option.description + defaultHelp(option);
		const commanderOption = new CommanderOption(`${short}${flagName(key)}${value}`, description);
		if (key in consensusTuning || key in nodeTuning) commanderOption.helpGroup("Tuning:");
		command.addOption(commanderOption);
		refuseTwice(command, path, commanderOption.name());
	}
	if ("confirm" in table) refuseForce(command, path);
	command.option(
		"--config <file>",
		`options from this file (default: ${configurationFileName} if it is there)`,
	);
	refuseTwice(command, path, "config");
	command.addHelpText("after", `\nExamples:\n${definition.examples.map((line) => `  $ ${line}`).join("\n")}`);
	command.action(async () => {
		const given: Record<string, unknown> = command.opts();
		const flags: Record<string, string> = {};
		for (const [key, value] of Object.entries(given)) flags[key] = String(value);
		try {
			const file = await configurationFile(flags["config"]);
			const values = resolveOptions(table, { flags, environment: process.env, file });
			await definition.run(values, command.args[0], command.args[1]);
		} catch (error) {
			throw error instanceof UsageError ? new UsageError(error.message, path) : error;
		}
	});
}

/** The last of two would win, and the first be ignored without a word. */
function refuseTwice(command: Command, path: string, option: string): void {
	let isGiven = false;
	command.on(`option:${option}`, () => {
		if (isGiven) throw new UsageError(`--${option} is given twice`, path);
		isGiven = true;
	});
}

/** It confirmed whatever was so at that moment, and old scripts have it. */
function refuseForce(command: Command, path: string): void {
	command.addOption(new CommanderOption("--force").hideHelp());
	command.on("option:force", () => {
		throw new UsageError(
			'there is no --force: what can lose something is refused with a sentence that says what; type that, or give it: --confirm "…"',
			path,
		);
	});
}

function defaultHelp(option: OptionTable[string]): string {
	const { defaultText, defaultValue } = option;
	const shown = defaultText ?? defaultValue;
	return typeof shown === "string" || typeof shown === "number" ? ` (default: ${shown})` : "";
}

async function configurationFile(
	given: string | undefined,
): Promise<{ path: string; values: Record<string, string> }> {
	const path = given ?? process.env[environmentName("config")] ?? configurationFileName;
	const isOptional = path === configurationFileName && given === undefined;
	if (isOptional && !existsSync(path)) return { path, values: {} };
	// Only here, since zod takes longer to load than all the rest.
	const { readConfigurationFile } = await import("./configuration-file.ts");
	return { path, values: readConfigurationFile(path) };
}
