// Every option of every command, once: its flag, environment variable, key in skein.config.json and help text.
import { whyBlocked } from "../../../client/src/blocked-ports.ts";
import type { Acknowledgement as AcknowledgementText, ConsistencyText } from "../../../client/src/index.ts";
import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import { type ElectorName, electorNames } from "../consensus/types.ts";
import {
	acknowledgementForms,
	acknowledgementText,
	parseAcknowledgement,
} from "../database/acknowledgement-text.ts";
import { defaultNodeSettings } from "../node/settings.ts";

/** What a value looks like in the configuration file; the text forms are the same for flag and environment. */
export type OptionKind = "text" | "integer" | "boolean" | "list" | "map";

export interface Option<Value> {
	readonly kind: OptionKind;
	/** As shown in the help: `--listen <host:port>`. */
	readonly placeholder: string | null;
	readonly short: string | null;
	readonly description: string;
	/** Shown in the help when the default is computed. */
	readonly defaultText: string | null;
	readonly defaultValue: Value;
	/** Throws an Error that says what is wrong with the text. */
	readonly parse: (text: string) => Value;
}

// biome-ignore lint: the table holds options of every value type
export type OptionTable = Readonly<Record<string, Option<unknown>>>;
export type OptionValues<Table extends OptionTable> = {
	readonly [Key in keyof Table]: Table[Key] extends Option<infer Value> ? Value : never;
};

export interface HostPort {
	readonly host: string;
	readonly port: number;
}

interface Common<Value> {
	readonly description: string;
	readonly placeholder?: string;
	readonly short?: string;
	readonly defaultText?: string;
	readonly default: Value;
}

function option<Value>(
	kind: OptionKind,
	placeholder: string | null,
	parse: (text: string) => Value,
	common: Common<Value>,
): Option<Value> {
	return {
		kind,
		placeholder: common.placeholder ?? placeholder,
		short: common.short ?? null,
		description: common.description,
		defaultText: common.defaultText ?? null,
		defaultValue: common.default,
		parse,
	};
}

function text<Default extends string | null>(common: Common<Default>): Option<string | Default> {
	return option<string | Default>("text", "text", nonEmpty, common);
}

function nonEmpty(value: string): string {
	if (value === "") throw new Error("it is empty");
	return value;
}

function integer<Default extends number | null>(
	common: Common<Default> & { readonly minimum: number; readonly maximum: number },
): Option<number | Default> {
	return option<number | Default>(
		"integer",
		"number",
		(value) => {
			const number = Number(value);
			if (!/^\d+$/.test(value) || number < common.minimum || number > common.maximum) {
				throw new Error(`it must be a whole number from ${common.minimum} to ${common.maximum}`);
			}
			return number;
		},
		common,
	);
}

function flag(common: Omit<Common<boolean>, "default">): Option<boolean> {
	return option("boolean", null, parseBoolean, { ...common, default: false });
}

function parseBoolean(value: string): boolean {
	if (/^(1|true|yes|on)$/i.test(value)) return true;
	if (/^(0|false|no|off|)$/i.test(value)) return false;
	throw new Error("it must be true or false");
}

function choice<const Choice extends string>(
	choices: readonly Choice[],
	common: Common<Choice>,
): Option<Choice> {
	return option(
		"text",
		choices.join("|"),
		(value) => {
			const found = choices.find((candidate) => candidate === value);
			if (found === undefined) throw new Error(`it must be one of ${choices.join(", ")}`);
			return found;
		},
		common,
	);
}

/** `HOST:PORT`, `[IPV6]:PORT`, or only `PORT` (then on this machine alone). */
export function parseHostPort(value: string): HostPort {
	const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):)?(\d+)$/.exec(value);
	const port = Number(match?.[3]);
	if (match === null || port > 65_535) throw new Error("it must be HOST:PORT, such as 127.0.0.1:8080");
	return { host: match[1] ?? match[2] ?? "127.0.0.1", port };
}

export interface ClusterMember {
	readonly id: string;
	readonly peer: string;
}

/** `n1=10.0.0.1:18080,n2=10.0.0.2:18080`. */
function parseCluster(value: string): readonly ClusterMember[] {
	const members = value.split(",").map((part) => {
		const [id = "", peer = "", ...rest] = part.trim().split("=");
		if (id === "" || rest.length > 0) throw new Error("it must be ID=HOST:PORT,ID=HOST:PORT,…");
		try {
			parseHostPort(peer);
		} catch {
			throw new Error(`the address of ${id} must be HOST:PORT, such as 10.0.0.1:18080`);
		}
		return { id, peer };
	});
	if (new Set(members.map((member) => member.id)).size < members.length) {
		throw new Error("it names a node twice");
	}
	return members;
}

/** `8081` and `10.0.0.1:8081` are as good as a URL. */
function completeUrl(text: string): string {
	if (/^\d+$/.test(text)) return `http://127.0.0.1:${text}`;
	return text.includes("://") ? text : `http://${text}`;
}

function parseUrls(value: string): readonly string[] {
	return value.split(",").map((part) => {
		const candidate = completeUrl(part.trim());
		if (!URL.canParse(candidate)) throw new Error(`"${part.trim()}" is no URL`);
		const url = new URL(candidate);
		if (url.protocol !== "http:" && url.protocol !== "https:") throw new Error("it must be http or https");
		const blocked = whyBlocked(url.href);
		if (blocked !== null) throw new Error(blocked);
		return url.href;
	});
}

const nodeId = (value: string): string => {
	if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value)) {
		throw new Error("it must be 1 to 64 letters, digits, dots, dashes or underscores");
	}
	return value;
};

/** Where logs go and how much they say: for every command that runs a node. */
const logging = {
	logLevel: choice(["debug", "info", "warn", "error"], {
		description: "least severe log line to write",
		default: "info",
	}),
	logFormat: choice(["auto", "json", "pretty"], {
		description: "log lines on stderr; auto: pretty on a terminal, else JSON",
		default: "auto",
	}),
} satisfies OptionTable;

const day = 24 * 60 * 60 * 1_000;
const tebibyte = 2 ** 40;

function durationMs(value: number, description: string): Option<number> {
	const common = { description, placeholder: "ms", minimum: 1, maximum: day, default: value };
	return integer(common);
}

function sizeBytes(value: number, description: string): Option<number> {
	const common = { description, placeholder: "bytes", minimum: 4_096, maximum: tebibyte, default: value };
	return integer(common);
}

function electorOf(value: string): ElectorName {
	const found = electorNames.find((name) => name === value);
	if (found === undefined) throw new Error(`it must be one of ${electorNames.join(", ")}`);
	return found;
}

/** Those of the core: `consensus` in the node's settings. */
export const consensusTuning = {
	heartbeatIntervalMs: durationMs(
		defaultNodeSettings.consensus.heartbeatIntervalMs,
		"how often the leader says that it lives",
	),
	electionTimeoutMs: durationMs(
		defaultNodeSettings.consensus.electionTimeoutMs,
		"silence of the leader after which the others elect, at the earliest; the same on every node",
	),
	elector: option<ElectorName | null>("text", electorNames.join("|"), electorOf, {
		description:
			"who stands for leadership, and when; the first leader writes it to the log, and then that counts",
		default: null,
		defaultText: "raft",
	}),
} satisfies OptionTable;

const acknowledgement = option<Acknowledgement | null>("text", "mode", acknowledgementOf, {
	description: `in a new cluster, when writes are answered that do not say so themselves: ${acknowledgementForms}; early modes can lose them; later: skein mode`,
	default: null,
	defaultText: "quorum",
});

function acknowledgementOf(value: string): Acknowledgement {
	const parsed = parseAcknowledgement(value);
	if (parsed === null) throw new Error(`it must be ${acknowledgementForms}`);
	return parsed;
}

/** Limits and sizes of a node; each has the name of its setting. */
export const nodeTuning = {
	acknowledgement,
	leaderWaitMs: durationMs(
		defaultNodeSettings.leaderWaitMs,
		"how long a request waits for a leader before it fails with NO_LEADER",
	),
	takeoverDelayMs: durationMs(
		defaultNodeSettings.takeoverDelayMs,
		"a preferred node gets leadership when it has been well for so long",
	),
	maxQueuedWrites: integer({
		description: "writes that wait; one more is refused with OVERLOADED",
		minimum: 1,
		maximum: 1_000_000,
		default: defaultNodeSettings.maxQueuedWrites,
	}),
	transactionIdleMs: durationMs(
		defaultNodeSettings.transactionIdleMs,
		"an interactive transaction that is idle for so long is rolled back",
	),
	transactionTotalMs: durationMs(
		defaultNodeSettings.transactionTotalMs,
		"an interactive write transaction that is open for so long is rolled back",
	),
	statementTimeoutMs: durationMs(defaultNodeSettings.statementTimeoutMs, "the longest a statement may run"),
	maxTransactionBytes: sizeBytes(
		defaultNodeSettings.maxTransactionBytes,
		"what one transaction may change, in bytes of its log entry",
	),
	readers: integer({
		description: "threads that read",
		minimum: 1,
		maximum: 64,
		default: defaultNodeSettings.readers,
	}),
	checkpointBytes: sizeBytes(
		defaultNodeSettings.checkpointBytes,
		"SQLite's own write-ahead file is copied back when it is larger",
	),
	logSegmentBytes: sizeBytes(defaultNodeSettings.logSegmentBytes, "size of one file of the replicated log"),
	compactLogBytes: sizeBytes(
		defaultNodeSettings.compactLogBytes,
		"the replicated log is cut when it is larger",
	),
	logTailEntries: integer({
		description: "entries kept for followers that are a little behind; further behind needs a snapshot",
		minimum: 0,
		maximum: 1_000_000_000,
		default: defaultNodeSettings.logTailEntries,
	}),
	snapshotBytesPerSecond: sizeBytes(
		defaultNodeSettings.snapshotBytesPerSecond,
		"how fast a snapshot is sent to one follower",
	),
	stopTimeoutMs: durationMs(
		defaultNodeSettings.stopTimeoutMs,
		"how long handing over and finishing may take when the node is told to stop",
	),
} satisfies OptionTable;

export const startOptions = {
	id: option<string | null>("text", "id", nodeId, {
		description: "this node's id; never changes, never used again for another node",
		default: null,
	}),
	data: text({
		placeholder: "directory",
		description: "where this node keeps everything",
		default: null,
		defaultText: "./skein-ID",
	}),
	listen: option<HostPort>("text", "host:port", parseHostPort, {
		description: "where clients reach this node",
		default: { host: "127.0.0.1", port: 8080 },
		defaultText: "127.0.0.1:8080",
	}),
	peer: option<HostPort>("text", "host:port", parseHostPort, {
		description: "where the other nodes reach this node",
		default: { host: "127.0.0.1", port: 18_080 },
		defaultText: "127.0.0.1:18080",
	}),
	cluster: option<readonly ClusterMember[] | null>("map", "id=host:port,…", parseCluster, {
		description: "the first members of the cluster, this one included, by their peer addresses",
		default: null,
		defaultText: "this node alone",
	}),
	join: option<readonly string[] | null>("list", "url,…", parseUrls, {
		description: "joins the cluster of this node, or of one of these; instead of --cluster",
		default: null,
	}),
	learner: flag({ description: "with --join: gets the log and does not vote, a read replica" }),
	witness: flag({ description: "with --join: votes and keeps no data, for a small third machine" }),
	advertisePeer: option<HostPort | null>("text", "host:port", parseHostPort, {
		description: "with --join: where the other nodes reach this one, if not at --peer",
		default: null,
	}),
	clusterId: text({
		placeholder: "id",
		description: "the cluster's id; nodes of another cluster are refused",
		default: null,
	}),
	secret: text({
		placeholder: "text",
		description: "what all nodes of the cluster share to know each other; better in SKEIN_SECRET",
		default: null,
	}),
	advertise: option<string | null>("text", "url", (value) => parseUrls(value)[0] ?? value, {
		description: "the URL that clients should use for this node, if it is not the one it listens on",
		default: null,
	}),
	...logging,
	...consensusTuning,
	...nodeTuning,
} satisfies OptionTable;

export const devOptions = {
	nodes: integer({ description: "how many nodes", minimum: 1, maximum: 9, default: 3 }),
	port: integer({
		description: "the first node's port; the others follow, peer ports are 10000 higher",
		minimum: 1,
		maximum: 55_000,
		default: 8080,
	}),
	data: text({ placeholder: "directory", description: "where the nodes keep everything", default: ".skein" }),
	acknowledgement,
	logLevel: logging.logLevel,
} satisfies OptionTable;

const url = option<readonly string[]>("list", "url,…", parseUrls, {
	description: "a node of the cluster, or several; the next is tried when one cannot be reached",
	default: ["http://127.0.0.1:8080/"],
	defaultText: "http://127.0.0.1:8080",
});
const json = flag({ description: "print JSON for programs" });

function parseConsistency(value: string): ConsistencyText {
	if (value === "linearizable" || value === "session" || value === "eventual") return value;
	const bound = /^bounded;max-staleness-ms=(\d{1,12})$/.exec(value);
	if (bound === null)
		throw new Error("it must be linearizable, session, eventual or bounded;max-staleness-ms=N");
	return `bounded;max-staleness-ms=${Number(bound[1])}`;
}

const consistency = option<ConsistencyText>("text", "level", parseConsistency, {
	description: "what reads promise: linearizable, session, eventual or bounded;max-staleness-ms=N",
	default: "linearizable",
});

const acknowledgementOfWrites = option<AcknowledgementText | null>(
	"text",
	"mode",
	(value) => acknowledgementText(acknowledgementOf(value)),
	{
		description: `what writes wait for: ${acknowledgementForms}`,
		default: null,
		defaultText: "the cluster's own",
	},
);

export const sqlOptions = {
	url,
	json,
	consistency,
	acknowledgement: acknowledgementOfWrites,
} satisfies OptionTable;
export const statusOptions = {
	url,
	json,
	watch: flag({ description: "draw again every second", short: "w" }),
} satisfies OptionTable;
const dryRun = flag({ description: "only says what would happen" });
const confirm = text({
	placeholder: "sentence",
	description: "goes on although something may be lost: the sentence that says what, as the refusal has it",
	default: null,
});
export const transferOptions = { url, json, dryRun } satisfies OptionTable;
export const membersOptions = { url, json } satisfies OptionTable;
export const stepDownOptions = {
	url,
	json,
	dryRun,
	confirm,
	restMs: durationMs(60_000, "for how long who stepped down does not stand by itself"),
} satisfies OptionTable;
export const electorOptions = { url, json, dryRun } satisfies OptionTable;
export const standOptions = { url, json, dryRun } satisfies OptionTable;
export const resumeElectionsOptions = { url, json, dryRun } satisfies OptionTable;
export const pauseElectionsOptions = {
	...resumeElectionsOptions,
	confirm,
	forMs: durationMs(600_000, "for how long; then they go on by themselves"),
} satisfies OptionTable;
export const lostOptions = {
	url,
	data: text({
		placeholder: "directory",
		description: "the data directory of a node, which may run",
		default: null,
	}),
	force: flag({
		description:
			"replay although it is not known whether its client sent it again, or which cluster the report is of",
	}),
	yes: flag({ description: "dismiss without asking", short: "y" }),
	json,
} satisfies OptionTable;
const changing = {
	url,
	json,
	confirm,
	dryRun,
} satisfies OptionTable;
export const memberOptions = changing;
export const memberAddOptions = {
	...changing,
	peer: option<HostPort | null>("text", "host:port", parseHostPort, {
		description: "where the other nodes reach it",
		default: null,
	}),
	learner: flag({ description: "it gets the log and does not vote: a read replica" }),
	witness: flag({ description: "it votes and keeps no data: a small third machine" }),
} satisfies OptionTable;
export const recoverOptions = {
	data: text({
		placeholder: "directory",
		description: "the data directory of the survivor, a node that is stopped",
		default: null,
	}),
	survivors: option<readonly string[] | null>("list", "directory|url,…", (value) => value.split(","), {
		description: "other survivors, to find the best: directories of stopped nodes, URLs of running ones",
		default: null,
	}),
	peer: option<HostPort | null>("text", "host:port", parseHostPort, {
		description: "where the other nodes will reach it",
		default: null,
		defaultText: "where they did",
	}),
	confirm,
	dryRun,
	json,
} satisfies OptionTable;
export const explainOptions = {
	url,
	json,
	format: text({
		description: "explain for this log format, and not for the database's own",
		placeholder: "format",
		default: null,
	}),
} satisfies OptionTable;
export const formatOptions = { url, json } satisfies OptionTable;
export const modeOptions = { url, json } satisfies OptionTable;
export const benchOptions = {
	url,
	json,
	clients: integer({
		description: "connections, each with one request at a time",
		minimum: 1,
		maximum: 10_000,
		default: 64,
	}),
	seconds: integer({ description: "how long each measure runs", minimum: 1, maximum: 3_600, default: 5 }),
	rowsPerRequest: integer({
		description: "rows that one write inserts",
		minimum: 1,
		maximum: 10_000,
		default: 1,
	}),
	writes: flag({ description: "measure writes only" }),
	reads: flag({ description: "measure reads only" }),
} satisfies OptionTable;

/** Options of all commands by key: what a configuration file may hold. */
export const everyOption: OptionTable = {
	...benchOptions,
	...statusOptions,
	...memberOptions,
	...stepDownOptions,
	...pauseElectionsOptions,
	...recoverOptions,
	...sqlOptions,
	...devOptions,
	...startOptions,
};
