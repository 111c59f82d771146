/**
 * Runs a scenario: a text of commands, each with the output that it must have. The texts in testdata
 * are the documentation of the protocol; `commands` below says what can be written. With the word
 * `quiet` at its end a command says nothing.
 */
import type { Acknowledgement } from "../acknowledge/acknowledgement.ts";
import type { ConsensusMessage, ReadGrant } from "../message.ts";
import type { Output } from "../output.ts";
import type { ConsensusSettings } from "../settings.ts";
import { defaultConsensusSettings } from "../settings.ts";
import type { Configuration, ElectorName, Member, MemberChange, NodeId, Position } from "../types.ts";
import { electorNames } from "../types.ts";
import type { ProgressView } from "../view.ts";
import type { Checker } from "./checker.ts";
import { watch } from "./checker.ts";
import type { SimulatedNode, Simulation } from "./simulation.ts";
import { createSimulation, entriesBetween, textBytes } from "./simulation.ts";

interface World {
	simulation: Simulation | null;
	checker: Checker | null;
	/** What the outputs of the present command said. */
	lines: string[];
	/** Sides of a partition; a message between two of them is lost. Empty: no partition. */
	sides: NodeId[][];
	reads: number;
	/** Leases are told of too. */
	showsLeases: boolean;
}

interface Words {
	readonly plain: readonly string[];
	readonly options: ReadonlyMap<string, string>;
	/** From `n1->n2`; either may be absent: `->n2`, `n1->`. */
	readonly from: string;
	readonly to: string;
}

/** The text with every output as it is now. */
export function runScenario(text: string): string {
	const world: World = {
		simulation: null,
		checker: null,
		lines: [],
		sides: [],
		reads: 0,
		showsLeases: false,
	};
	const blocks = text.trimEnd().split(/\n{2,}/);
	return `${blocks.map((block) => runBlock(world, block)).join("\n\n")}\n`;
}

function runBlock(world: World, block: string): string {
	const lines = block.split("\n");
	const end = lines.indexOf("----");
	const head = end < 0 ? lines : lines.slice(0, end);
	const command = head.find((line) => !line.startsWith("#") && line.trim() !== "");
	if (command === undefined) return block;
	world.lines = [];
	try {
		runCommand(world, command.trim().split(/\s+/));
	} catch (error) {
		world.lines.push(`failed: ${error instanceof Error ? error.message : String(error)}`);
	}
	if (command.split(/\s+/).includes("quiet"))
		world.lines = world.lines.filter((line) => line.startsWith("failed"));
	const said = world.lines.length === 0 ? ["ok"] : world.lines;
	return [...head, "----", ...said].join("\n");
}

function runCommand(world: World, line: readonly string[]): void {
	const [name = "", ...rest] = line;
	const words = parse(rest);
	if (name === "nodes") return begin(world, words);
	const { simulation } = world;
	if (simulation === null) throw new Error("a scenario begins with nodes");
	const command = commands[name];
	if (command === undefined) throw new Error(`unknown command ${name}`);
	command(world, simulation, words);
}

type Command = (world: World, simulation: Simulation, words: Words) => void;

const commands: Readonly<Record<string, Command>> = {
	/** tick n1 350: time passes, then n1 notices. Without a node: everybody. */
	tick(_, simulation, { plain }) {
		const named = plain.filter((word) => simulation.nodes.has(word));
		simulation.now += Number(plain.find((word) => /^\d+$/.test(word)) ?? 0);
		for (const node of nodesOf(simulation, named)) simulation.step(node, { type: "tick" });
	},
	/** sleep n1 400: time passes in which n1 does not run; then it notices. */
	sleep(_, simulation, { plain }) {
		const forMs = Number(plain.find((word) => /^\d+$/.test(word)) ?? 0);
		simulation.now += forMs;
		for (const node of nodesOf(
			simulation,
			plain.filter((word) => simulation.nodes.has(word)),
		)) {
			simulation.step(node, { type: "slept", forMs });
			simulation.step(node, { type: "tick" });
		}
	},
	/** wait 100: time passes, and nobody notices yet. */
	wait(_, simulation, { plain }) {
		simulation.now += Number(plain[0]);
	},
	/** campaign n1: time passes until n1 stands by itself. */
	campaign(_, simulation, { plain }) {
		const [node] = nodesOf(simulation, plain);
		for (let waited = 0; node !== undefined && waited < 3_000; waited += 10) {
			const before = node.core?.view.role;
			simulation.now += 10;
			simulation.step(node, { type: "tick" });
			if (before !== "candidate" && node.core?.view.role === "candidate") return;
		}
	},
	/** deliver [n1->n2] [type=T] [drop] [last]: what is in flight now arrives, or is lost. last: newest first. */
	deliver(world, simulation, words) {
		const chosen = simulation.inFlight.filter((message) => isMeant(message, words));
		if (words.plain.includes("last")) chosen.reverse();
		for (const message of chosen) {
			simulation.inFlight.splice(simulation.inFlight.indexOf(message), 1);
			if (words.plain.includes("drop")) world.lines.push(`lost: ${showMessage(message)}`);
			else simulation.deliver(message);
		}
	},
	/** duplicate n1->n2 [type=T]: what is in flight will arrive twice. */
	duplicate(_, simulation, words) {
		simulation.inFlight.push(...simulation.inFlight.filter((message) => isMeant(message, words)));
	},
	/** durable n1 [count]: the oldest disk writes complete. */
	durable(_, simulation, { plain }) {
		const count = Number(plain.find((word) => /^\d+$/.test(word)) ?? 1_000);
		for (const node of nodesOf(simulation, plain)) simulation.completeDisk(node, count);
	},
	/** apply n1: its database takes in what it may apply. */
	apply(_, simulation, { plain }) {
		for (const node of nodesOf(simulation, plain)) simulation.apply(node);
	},
	/** stabilize [n1 n2]: disks and messages of these (or all) nodes, until nothing happens any more. */
	stabilize(_, simulation, { plain }) {
		const nodes = nodesOf(simulation, plain);
		const ids = new Set(nodes.map((node) => node.id));
		for (let rounds = 0, busy = true; busy && rounds < 100; rounds++) {
			busy = false;
			for (const node of nodes) busy = simulation.completeDisk(node, 1_000) > 0 || busy;
			const chosen = simulation.inFlight.filter((one) => ids.has(one.from) && ids.has(one.to));
			for (const message of chosen) {
				busy = true;
				simulation.inFlight.splice(simulation.inFlight.indexOf(message), 1);
				simulation.deliver(message);
			}
		}
	},
	/** propose n1 a b [mode=async|semi-sync/1|quorum|sync|sync/strict|chain]: two entries, and who waits for them; without a mode nobody does. */
	propose(_, simulation, { plain, options }) {
		const [node] = nodesOf(simulation, plain.slice(0, 1));
		const entries = plain.slice(1).map((word) => ({ kind: "command" as const, payload: textBytes(word) }));
		if (node !== undefined)
			simulation.step(node, {
				type: "propose",
				entries,
				acknowledgement: acknowledgementOf(options.get("mode")),
			});
	},
	read(world, simulation, { plain }) {
		world.reads++;
		world.checker?.readBegan(world.reads);
		for (const node of nodesOf(simulation, plain))
			simulation.step(node, { type: "read", readId: world.reads });
	},
	/** transfer n1 [n2] */
	transfer(_, simulation, { plain }) {
		const [node] = nodesOf(simulation, plain.slice(0, 1));
		if (node !== undefined) simulation.step(node, { type: "transfer", to: plain[1] ?? null });
	},
	/** stand n1: an operator wants it to. */
	stand(_, simulation, { plain }) {
		for (const node of nodesOf(simulation, plain)) simulation.step(node, { type: "stand" });
	},
	"step-down"(_, simulation, { plain }) {
		for (const node of nodesOf(simulation, plain)) simulation.step(node, { type: "step-down" });
	},
	/** pause [n1] 5000: elections are paused there for so long; 0: no more. */
	pause(_, simulation, { plain }) {
		const forMs = Number(plain.find((word) => /^\d+$/.test(word)) ?? 0);
		for (const node of nodesOf(simulation, plain))
			simulation.step(node, { type: "hold-back", reason: "paused", forMs });
	},
	/** rest n1 5000: it stepped down, and does not stand for so long. */
	rest(_, simulation, { plain }) {
		const [node] = nodesOf(simulation, plain.slice(0, 1));
		const forMs = Number(plain[1]);
		if (node !== undefined) simulation.step(node, { type: "hold-back", reason: "stepped-down", forMs });
	},
	/** unreachable n1->n2: n1 notices that its connection to n2 broke. */
	unreachable(_, simulation, { from, to }) {
		for (const node of nodesOf(simulation, [from])) simulation.step(node, { type: "unreachable", node: to });
	},
	crash(_, simulation, { plain }) {
		for (const node of nodesOf(simulation, plain)) {
			simulation.apply(node);
			simulation.crash(node);
		}
	},
	/** crash-with-loss n1 2: its database has so much less when it starts again. */
	"crash-with-loss"(_, simulation, { plain }) {
		for (const node of nodesOf(simulation, plain.slice(0, 1))) simulation.crash(node, Number(plain[1]));
	},
	restart(_, simulation, { plain }) {
		for (const id of plain) {
			const node = simulation.nodes.get(id);
			if (node !== undefined) simulation.restart(node);
		}
	},
	/** partition n1 / n2 n3: what is sent between the sides from now on is lost. */
	partition(world, _, { plain }) {
		world.sides = plain
			.join(" ")
			.split("/")
			.map((side) => side.trim().split(" "));
	},
	heal(world) {
		world.sides = [];
	},
	/** compact n1 5: n1's log begins after 5. */
	compact(_, simulation, { plain }) {
		const [node] = nodesOf(simulation, plain.slice(0, 1));
		if (node === undefined) return;
		simulation.apply(node);
		simulation.compact(node, Number(plain[1]));
	},
	/** snapshot n1->n2: n2's database becomes a copy of n1's, and n1 hears that. Alternatively `failed`. */
	snapshot(_, simulation, { from, to, plain }) {
		const [source] = nodesOf(simulation, [from]);
		const [target] = nodesOf(simulation, [to]);
		const view = source?.core?.view;
		if (source === undefined || target === undefined || view === undefined) return;
		const index = source.stored.applied;
		const hasFailed = plain.includes("failed");
		if (!hasFailed) {
			const { value: configuration, index: configurationIndex } = source.appliedConfiguration;
			const term = view.termAt(index) ?? 0;
			simulation.installSnapshot(target, { index, term, configuration, configurationIndex });
		}
		if (plain.includes("unreported")) return;
		simulation.step(source, { type: "snapshot-sent", to, index: hasFailed ? null : index });
	},
	/** node n4: starts with an empty disk, and knows no members. */
	node(_, simulation, { plain }) {
		for (const id of plain) simulation.addNode(id);
	},
	/** change n1 witness:w1 add:n4 add-voter:n5 join:n6 remove:n2 promote:n4 demote:n1 move:n3 prefer:n1 never:n2 normal:n2 elector:bully [force] [dry]: as one change. */
	change(_, simulation, { plain }) {
		const [node] = nodesOf(simulation, plain.slice(0, 1));
		const changes = plain.filter((word) => word.includes(":")).map(parseChange);
		const [force, dryRun] = [plain.includes("force"), plain.includes("dry")];
		if (node !== undefined) simulation.step(node, { type: "change-members", changes, force, dryRun });
	},
	/** members [n1]: the last configuration in the log of each. */
	members(world, simulation, { plain }) {
		for (const node of nodesOf(simulation, plain)) {
			const view = node.core?.view;
			if (view === undefined) continue;
			world.lines.push(
				`${node.id} has ${showConfiguration(view.configuration)} from ${view.configurationIndex}`,
			);
		}
	},
	/** status [n1]: what the nodes know. */
	status(world, simulation, { plain }) {
		for (const node of nodesOf(simulation, plain)) world.lines.push(...showStatus(node, world.showsLeases));
	},
	/** log [n1]: the entries as term:payload, * not durable there, | after the committed ones. */
	log(world, simulation, { plain }) {
		for (const node of nodesOf(simulation, plain)) world.lines.push(showLog(node));
	},
};

/** nodes n1 n2 n3 [leases] [learners=n3] [elector=bully] [electors=n1:bully,n2:manual] [logs=n1:1.1.2,n2:1.1] [maxAppendBytes=100 …] */
function begin(world: World, words: Words): void {
	const settings: Record<string, number | boolean | string | null> = { ...defaultConsensusSettings };
	for (const [name, value] of words.options)
		if (name in settings) settings[name] = name === "elector" ? value : Number(value);
	const logs = new Map<NodeId, number[]>();
	for (const log of (words.options.get("logs") ?? "").split(",").filter(Boolean)) {
		const [id = "", terms = ""] = log.split(":");
		logs.set(id, terms.split(".").filter(Boolean).map(Number));
	}
	const electors = new Map<NodeId, ElectorName>();
	for (const one of (words.options.get("electors") ?? "").split(",").filter(Boolean)) {
		const [id = "", name] = one.split(":");
		electors.set(id, electorNames.find((known) => known === name) ?? "raft");
	}
	world.showsLeases = words.plain.includes("leases");
	const simulation = createSimulation({
		ids: words.plain.filter((word) => word !== "leases"),
		// Every name that defaultConsensusSettings has is there, with a number.
		settings: settings as unknown as ConsensusSettings,
		seed: 1,
		logs,
		electorOf: (node) => electors.get(node),
		learners: (words.options.get("learners") ?? "").split(",").filter(Boolean),
	});
	world.simulation = simulation;
	// With logs that were not made by this run the checker would not know what came before.
	if (logs.size === 0) world.checker = watch(simulation);
	const check = simulation.onOutput;
	simulation.onOutput = (node, output) => {
		check(node, output);
		// Said with every heartbeat.
		const isLease = output.type === "lease-asked" || output.type === "leased";
		if (isLease && !(world.showsLeases && output.type === "leased")) return;
		world.lines.push(`${node.id} ${showOutput(node, output)}`);
	};
	const push = simulation.inFlight.push.bind(simulation.inFlight);
	simulation.inFlight.push = (...messages) => push(...messages.filter((message) => !isCut(world, message)));
}

function isCut(world: World, message: ConsensusMessage): boolean {
	const sideOf = (id: NodeId): number => world.sides.findIndex((side) => side.includes(id));
	return world.sides.length > 0 && sideOf(message.from) !== sideOf(message.to);
}

function isMeant(message: ConsensusMessage, words: Words): boolean {
	const type = words.options.get("type") ?? message.type;
	const isFrom = words.from === "" || words.from === message.from;
	const isTo = words.to === "" || words.to === message.to;
	return isFrom && isTo && type === message.type;
}

function parse(words: readonly string[]): Words {
	const options = new Map<string, string>();
	const plain: string[] = [];
	let from = "";
	let to = "";
	for (const word of words) {
		const [left = "", right] = word.split("->");
		const [name = "", value] = word.split("=");
		if (right !== undefined) [from, to] = [left, right];
		else if (value !== undefined) options.set(name, value);
		else plain.push(word);
	}
	return { plain, options, from, to };
}

function parseChange(word: string): MemberChange {
	const [change = "", id = ""] = word.split(":");
	switch (change) {
		case "add":
			return { change, id, peer: `${id}:1`, as: "learner" };
		case "add-voter":
			return { change: "add", id, peer: `${id}:1`, as: "voter" };
		case "join":
			return { change: "add", id, peer: `${id}:1`, as: "joining" };
		case "witness":
			return { change: "add", id, peer: `${id}:1`, as: "witness" };
		case "move":
			return { change, id, peer: `${id}:2` };
		case "prefer":
			return { change: "priority", id, priority: "preferred" };
		case "normal":
		case "never":
			return { change: "priority", id, priority: change };
		case "elector": {
			const elector = electorNames.find((name) => name === id);
			if (elector === undefined) throw new Error(`unknown elector ${id}`);
			return { change, elector };
		}
		case "remove":
		case "promote":
		case "demote":
			return { change, id };
		default:
			throw new Error(`unknown change ${word}`);
	}
}

function nodesOf(simulation: Simulation, words: readonly string[]): SimulatedNode[] {
	const named = words.filter((word) => simulation.nodes.has(word));
	const all = [...simulation.nodes.values()];
	return named.length === 0 ? all : all.filter((node) => named.includes(node.id));
}

function acknowledgementOf(mode: string | undefined): Acknowledgement | null {
	const [name, followers] = (mode ?? "").split("/");
	switch (name) {
		case "":
			return null;
		case "async":
		case "quorum":
		case "chain":
			return { mode: name };
		case "sync":
			return { mode: name, strict: followers === "strict" };
		case "semi-sync":
			return { mode: name, followers: Number(followers) };
		default:
			throw new Error(`unknown mode ${name}`);
	}
}

function at(position: Position): string {
	return `${position.index}@${position.term}`;
}

function showOutput(node: SimulatedNode, output: Output): string {
	switch (output.type) {
		case "write-promise":
			return `disk: promise term ${output.promise.term} to ${output.promise.votedFor ?? "nobody"}`;
		case "append-log": {
			const cut = output.truncateFrom === null ? "" : `cut from ${output.truncateFrom}, `;
			return `disk: ${cut}append ${output.entries.map(at).join(" ")}`;
		}
		case "reset-log":
			return `disk: log begins after ${at(output.base)}`;
		case "send":
			return showMessage(output.message);
		case "send-entries": {
			const entries = entriesBetween(node, output.firstIndex, output.lastIndex);
			const rest = `after ${at(output.previous)}: ${entries.map(at).join(" ")} commit ${output.commitIndex}`;
			if (output.route.length === 0) return `-> ${output.to} term ${output.term} append-request ${rest}`;
			return `-> ${output.to} term ${output.term} chain-append of ${node.id}, then ${output.route.join(" ")}, ${rest}`;
		}
		case "send-snapshot":
			return `-> ${output.to} term ${output.term} snapshot`;
		case "commit":
			return `commit ${output.index}`;
		case "acknowledged":
			return `acknowledged ${output.index}`;
		case "apply-at-once":
			return `is to apply ${output.index} at once`;
		case "reads-ended":
			return "reads no more by itself";
		case "lease-asked":
			return `asks with round ${output.round}`;
		case "leased":
			return `is in-sync for ${output.durationMs} ms from round ${output.round} on, with ${output.index}${showReads(output.reads)}`;
		case "role": {
			const { role, term, leader, established } = output;
			return `is ${role} in term ${term}, leader ${leader ?? "unknown"}${established ? ", established" : ""}`;
		}
		case "proposal-accepted":
			return `accepted as ${output.firstIndex} to ${output.lastIndex}`;
		case "proposal-refused":
			return `refused: ${output.reason}`;
		case "read-ready":
			return `read ${output.readId} ready at ${output.index}`;
		case "transfer-ended":
			return `transfer to ${output.to} ${output.outcome}: ${output.why}`;
		case "change-accepted":
			return output.index === null
				? `nothing begins; it would be ${showConfiguration(output.target)}`
				: `change begins at ${output.index}, will be ${showConfiguration(output.target)}`;
		case "change-refused":
			return `change refused: ${output.reason}: ${output.why}`;
		case "configuration":
			return `has ${showConfiguration(output.value)} from ${output.index}`;
	}
}

function showConfiguration(configuration: Configuration): string {
	const { voters, outgoingVoters, learners, joining, retired } = configuration;
	const show = (name: string, list: readonly NodeId[]): string =>
		list.length === 0 ? "" : ` ${name} ${list.join(" ")}`;
	const joint = outgoingVoters.length === 0 ? "" : ` and of ${outgoingVoters.join(" ")}`;
	const rest = `${show("learners", learners)}${show("joining", joining)}${show("retired", retired)}`;
	const having = (priority: Member["priority"]): readonly NodeId[] =>
		configuration.members.filter((one) => one.priority === priority).map(({ id }) => id);
	const witnesses = configuration.members.filter(({ witness }) => witness === true).map(({ id }) => id);
	const priorities =
		show("preferred", having("preferred")) + show("never", having("never")) + show("witness", witnesses);
	const elector = configuration.elector === undefined ? "" : ` elector ${configuration.elector}`;
	return `voters ${voters.length === 0 ? "nobody" : voters.join(" ")}${joint}${rest}${priorities}${elector}`;
}

function showMessage(message: ConsensusMessage): string {
	return `-> ${message.to} term ${message.term} ${message.type}${showBody(message)}`;
}

function showBody(message: ConsensusMessage): string {
	switch (message.type) {
		case "pre-vote-request":
			return ` last ${at(message.last)}`;
		case "vote-request":
			return ` last ${at(message.last)}${message.transfer ? " transfer" : ""}`;
		case "pre-vote-response":
			return ` ${message.granted ? "granted" : "refused"} for ${message.askedTerm}`;
		case "vote-response":
			return message.granted ? " granted" : " refused";
		case "append-request": {
			const entries = message.entries.length === 0 ? "nothing" : message.entries.map(at).join(" ");
			return ` after ${at(message.previous)}: ${entries} commit ${message.commitIndex}`;
		}
		case "chain-append": {
			const entries = message.entries.length === 0 ? "nothing" : message.entries.map(at).join(" ");
			const route = message.route.length === 0 ? "" : ` then ${message.route.join(" ")},`;
			return ` of ${message.leader},${route} after ${at(message.previous)}: ${entries} commit ${message.commitIndex}`;
		}
		case "append-response": {
			const { result } = message;
			if (result.accepted) return ` match ${result.matchIndex}`;
			return ` refused at ${result.previousIndex}, hint ${at(result.hint)}`;
		}
		case "heartbeat-request":
			return ` round ${message.round} commit ${message.commitIndex}${message.lease === null ? "" : ` lease of round ${message.lease.round}`}${message.endsReads ? " ends reads" : ""}`;
		case "apply-request":
			return ` ${message.index}`;
		case "applied-response":
			return ` ${message.appliedIndex} round ${message.round}`;
		case "heartbeat-response":
			return ` round ${message.round} last ${message.lastIndex}`;
		case "elector-message": {
			const { word, candidate, last, round } = message.hint;
			return ` of ${message.elector}: ${word} ${candidate} last ${at(last)}${round === 0 ? "" : ` round ${round}`}`;
		}
		case "timeout-now":
			return "";
		case "read-index-request":
			return "";
		case "read-index-response":
			return message.index > message.commitIndex
				? ` index ${message.index} commit ${message.commitIndex}`
				: ` index ${message.index}`;
	}
}

function showReads(reads: ReadGrant | null): string {
	if (reads === null) return "";
	return `; reads${reads.tail ? " as the tail" : ""} for ${reads.durationMs} ms with ${reads.index}`;
}

function showLease({ appliedIndex, inSync }: ProgressView): string {
	return ` applied ${appliedIndex ?? "unknown"}${inSync ? " in-sync" : ""}`;
}

function showStatus(node: SimulatedNode, showsLeases: boolean): string[] {
	const view = node.core?.view;
	if (view === undefined) return [`${node.id} is down`];
	const { role, term, leader, established, commitIndex, durableIndex, base } = view;
	const last = at({ index: view.lastIndex, term: view.lastTerm });
	const chain = view.chain.length === 0 ? "" : ` chain ${view.chain.join(" ")}`;
	const own = `${node.id} ${role}${established ? " established" : ""} term ${term} leader ${leader ?? "unknown"}`;
	const log = `commit ${commitIndex} durable ${durableIndex} last ${last} base ${at(base)}`;
	const lines = [...view.progress].map(
		([id, one]) =>
			`  ${id} ${one.state} match ${one.matchIndex} next ${one.nextIndex}${showsLeases ? showLease(one) : ""}`,
	);
	return [`${own} ${log}${chain}`, ...lines];
}

function showLog(node: SimulatedNode): string {
	const view = node.core?.view;
	if (view === undefined) return `${node.id} is down`;
	const shown = entriesBetween(node, view.base.index + 1, view.lastIndex).map((entry) => {
		const text = entry.kind === "command" ? new TextDecoder().decode(entry.payload) : entry.kind;
		const pending = entry.index > view.durableIndex ? "*" : "";
		return `${entry.term}:${text}${pending}${entry.index === view.commitIndex ? " |" : ""}`;
	});
	return `${node.id} ${shown.join(" ")}`;
}
