/**
 * One run: a cluster, its clients, everything that goes wrong, and the judgement. From the seed alone;
 * the same seed gives the same trace.
 *
 * Safety phase: faults begin and end, and everything that must always hold is looked at after each event.
 * Liveness phase: a random majority is healed for good, all else stays as broken as it is, and the
 * healed members must serve writes and reads within a bound. Then everything that clients saw is judged.
 */
import type { LogIndex, NodeId, Position, Term } from "../../../skein/src/consensus/types.ts";
import { logFormats } from "../../../skein/src/database/log-format.ts";
import { type Cluster, createCluster } from "../cluster/cluster.ts";
import type { Member } from "../cluster/member.ts";
import { createChance } from "../engine/chance.ts";
import { createScheduler, Livelock, type Scheduler } from "../engine/scheduler.ts";
import { createRecorder, type Key, type Recorder, type Value } from "../history/history.ts";
import type { AnsweredMode } from "../load/caller.ts";
import { type Client, startClient } from "../load/client.ts";
import type { Profile } from "../machine/store.ts";
import { BrokenProperty } from "../properties/property.ts";
import { createWatch } from "../properties/watch.ts";
import type { Count, TimedEvent } from "../trace/event.ts";
import { createTrace, type Trace, withHead } from "../trace/trace.ts";
import { checkAnsweredModes } from "./answered-modes.ts";
import { createAskedCount } from "./asked.ts";
import { checkAll } from "./checks.ts";
import { type Coverage, countMode, createCount, createCounter, noCoverage } from "./coverage.ts";
import { createEffectsFromLog } from "./effects-from-log.ts";
import { handOver } from "./hand-over.ts";
import { hashOf } from "./hash-of-history.ts";
import { drawHealed } from "./healed-members.ts";
import { startLeadershipChanges } from "./leadership-changes.ts";
import { checkRefusedTokens, checkReports, duties, excuseOf, reportsOn, withoutLost } from "./lost-writes.ts";
import { createJudgeEnds } from "./member-ends.ts";
import { type Nemesis, startNemesis } from "./nemesis.ts";
import { probe } from "./probe.ts";
import { roomForPages } from "./room-for-pages.ts";
import { startSettingChanges } from "./setting-changes.ts";
import { standInTurn } from "./stand-in-turn.ts";
import { type Budget, drawPlan, type RunPlan } from "./swarm.ts";

export type FailureKind = "crash" | "liveness" | "safety";

export interface Failure {
	readonly kind: FailureKind;
	/** The property that is broken. */
	readonly property: string;
	readonly what: string;
	/** The last that happened, oldest first. */
	readonly events: readonly TimedEvent[];
}

export interface RunResult {
	readonly seed: number;
	/** Null: all is well. */
	readonly failure: Failure | null;
	/** Of the whole trace. */
	readonly hash: string;
	readonly coverage: Coverage;
	/** By property, how often it was asked. */
	readonly asked: ReadonlyMap<string, number>;
}

const keptEvents = 200;
/** So long is waited for a last blow that waits for something itself. */
const blowMs = 3_000;
/** Who comes when a plot needs somebody. */
const visitorCount = 6;

/** Errors that nobody handles: only the platform hears of them. */
export interface Escapes {
	/** From now on they go there. */
	hear(onEscape: (error: unknown) => void): void;
	/** Resolves when all have been heard. */
	caughtUp(): Promise<void>;
}

export interface SimulateOptions {
	/** Hears all that happens. */
	readonly listener?: (event: TimedEvent) => void;
	/** Left out: they are somebody else's. */
	readonly escapes?: Escapes;
}

export async function simulate(
	seed: number,
	profile: Profile,
	budget: Budget,
	options: SimulateOptions = {},
): Promise<RunResult> {
	const { listener, escapes } = options;
	const scheduler = createScheduler(profile.settle);
	const coverage = noCoverage();
	const count = createCounter(coverage);
	const trace = createTrace({
		now: () => scheduler.now,
		kept: keptEvents,
		checksum: profile.checksum,
		listener(event, at, message) {
			count(event);
			listener?.(withHead(event, at, message));
		},
	});
	const run = createRun(seed, profile, budget, scheduler, trace, createCount(coverage));
	escapes?.hear(run.onOutrage);
	let failure: Failure | null = null;
	try {
		await run.safety();
		await run.liveness();
		await run.reunion();
		// Before the judgement: an error that got lost may be why it would fail.
		await escapes?.caughtUp();
		run.throwOutrage();
		coverage.undecided += run.judge() ? 0 : 1;
	} catch (error) {
		failure = failureOf(error, trace);
	} finally {
		run.dispose();
		// What its ends set off is nobody else's.
		await escapes?.caughtUp();
	}
	const { operations } = run.recorder.history;
	coverage.simulatedMs = scheduler.now;
	coverage.events = scheduler.events;
	coverage.operations = operations.length;
	coverage.acknowledgedWrites = operations.filter(
		({ outcome, acknowledgement }) => outcome === "ok" && acknowledgement !== null,
	).length;
	coverage.lostWrites = run.lostWrites;
	coverage.reportedWrites = run.reportedWrites;
	for (const { outcome, acknowledgement } of operations)
		if (outcome === "ok" && acknowledgement !== null) countMode(coverage, acknowledgement);
	return { seed, failure, hash: trace.hash(), coverage, asked: run.asked };
}

function createRun(
	seed: number,
	profile: Profile,
	budget: Budget,
	scheduler: Scheduler,
	trace: Trace,
	count: Count,
) {
	const chance = createChance(seed);
	const drawn = drawPlan(chance.fork("plan"), budget);
	const plan: RunPlan = profile.name === "sqlite" ? roomForPages(drawn) : drawn;
	const watch = createWatch();
	// Without SQLite there is one format.
	const asked = createAskedCount(profile.name === "sqlite" ? [] : ["log format"]);
	const { ask } = asked;
	const effects = createEffectsFromLog(profile.createReader(plan.store));
	const applied = new Map<NodeId, number>();
	const leaders = new Map<Term, NodeId>();
	let everApplied = 0;
	const recorder: Recorder = createRecorder(() => scheduler.now);
	const refusedTokens: Position[] = [];
	const answeredModes: AnsweredMode[] = [];
	let outrage: unknown = null;
	const onOutrage = (error: unknown): void => {
		outrage ??= error;
	};
	const cluster: Cluster = createCluster({
		size: plan.size,
		witnesses: plan.witnesses,
		spares: plan.faults.spares,
		scheduler,
		chance: chance.fork("cluster"),
		profile,
		settings: plan.settings,
		storeSettings: plan.store,
		networkSettings: plan.network,
		upgrades: plan.upgrades,
		diskSettingsOf: plan.diskOf,
		count,
		tell(event, message) {
			if (event.type === "role" && event.role === "leader")
				leaders.set(Number(event["term"]), String(event["node"]));
			trace.tell(event, message);
		},
		observe(observation) {
			watch.observe(observation);
			effects.observe(observation, (node, index) => cluster.member(node).core?.termAt(index) ?? null);
			if (observation.type === "applied") {
				ask("applied entries were appended");
				applied.set(observation.node, observation.position.index);
				everApplied = Math.max(everApplied, observation.position.index);
			}
			// A loss of power may take back what was applied.
			if (observation.type === "started") applied.set(observation.node, observation.applied.index);
		},
	});
	const clientOf = (name: string, isVisitor: boolean): Client =>
		startClient({
			id: name,
			members: cluster.members,
			mostVoters: plan.size + plan.faults.spares,
			scheduler,
			chance: chance.fork(`client ${name}`),
			recorder,
			tell: trace.tell,
			settings: plan.load,
			isVisitor,
			others: profile.otherStatements(plan.store),
			onOutrage,
			onAnsweredMode: (mode) => answeredModes.push(mode),
			onRefusedToken: (token) => refusedTokens.push(token),
		});
	const visitors = Array.from({ length: visitorCount }, (_, number) => clientOf(`v${number + 1}`, true));
	const nemesis: Nemesis = startNemesis({
		cluster,
		scheduler,
		chance: chance.fork("nemesis"),
		tell: trace.tell,
		count,
		settings: plan.faults,
		visit: (...visit) => void visitors.some((visitor) => visitor.visit(...visit)),
		onOutrage,
	});
	const changing = { cluster, scheduler, tell: trace.tell, onOutrage };
	const formatChanges = startSettingChanges({
		...changing,
		chance: chance.fork("format changes"),
		everyMs: profile.name === "sqlite" ? plan.store.format.changesEveryMs : null,
		draw: (draw) => ({ name: "format", value: draw.pick(logFormats) }),
	});
	const modeChanges = startSettingChanges({
		...changing,
		chance: chance.fork("mode changes"),
		everyMs: plan.load.modeChangesEveryMs,
		draw: (draw) => ({ name: "acknowledgement", value: draw.pick(plan.load.chosenModes) }),
	});
	const leadership = startLeadershipChanges({
		cluster,
		scheduler,
		chance: chance.fork("leadership changes"),
		tell: trace.tell,
		everyMs: plan.leadershipEveryMs,
		prioritize: (member, ofPriorities) => nemesis.prioritize(member, ofPriorities),
		onOutrage,
	});
	const { elector, electionTimeoutMs } = plan.settings.consensus;
	if (elector === "manual")
		standInTurn({
			cluster,
			scheduler,
			chance: chance.fork("stand in turn"),
			everyMs: electionTimeoutMs,
			onOutrage,
		});
	const clients: Client[] = [
		...Array.from({ length: plan.load.clients }, (_, number) => clientOf(`c${number + 1}`, false)),
		...visitors,
	];
	let lostWrites = 0;
	let reportedWrites = 0;
	let healed: ReadonlySet<NodeId> = new Set();
	const judgeEnds = createJudgeEnds(nemesis, ask);

	function throwOutrage(): void {
		if (outrage !== null) throw outrage;
	}

	function afterEach(): void {
		const touched = cluster.look();
		if (cluster.broken !== null) throw cluster.broken;
		throwOutrage();
		judgeEnds(touched);
	}

	/** False: `goesOn` was still true at the end. */
	async function runWhile(goesOn: () => boolean, limitMs: number): Promise<boolean> {
		const until = scheduler.now + limitMs;
		while (goesOn() && scheduler.now < until) await scheduler.runUntil(scheduler.now + 50, afterEach);
		return !goesOn();
	}

	/**
	 * A leader that was not healed may lead on with a part of the healed members, as long as a majority
	 * hears it: then nobody promises that it hears the others.
	 */
	function leaderIsHealed(): boolean {
		const leader = newestLeader();
		return leader === null || healed.has(leader.id);
	}

	function newestLeader(): Member | null {
		const leaders = cluster.members.filter(({ core }) => core?.established === true);
		return leaders.reduce<Member | null>(
			(best, one) => ((best?.core?.term ?? 0) > (one.core?.term ?? 0) ? best : one),
			null,
		);
	}

	/** Whose configuration is not the last one that it leads to, or not committed. */
	function isChanging(): boolean {
		const view = newestLeader()?.core ?? null;
		if (view === null) return true;
		const { configuration, configurationIndex, commitIndex } = view;
		return configuration.outgoingVoters.length > 0 || configurationIndex > commitIndex;
	}

	/** Of these, who is to serve. With `votes`: who may lead. */
	function membersAmong(nodes: ReadonlySet<NodeId>, votes: boolean): Member[] {
		const configuration = newestLeader()?.core?.configuration;
		return cluster.members.filter(({ id, isWitness }) => {
			if (!nodes.has(id)) return false;
			if (configuration === undefined) return true;
			return votes
				? configuration.voters.includes(id) && !isWitness
				: configuration.members.some((one) => one.id === id);
		});
	}

	/** Where a majority may be gone for good, what is committed may be so too. */
	function allIsApplied(): boolean {
		return everApplied >= watch.committedIndex();
	}

	/** Of those who are healed, members that have applied everything. */
	function caughtUp(): NodeId[] {
		const members = membersAmong(healed, false).filter(({ core }) => core !== null);
		// What they are asked for is all that is committed, also where none of them knows of it (seed 314001751).
		const last = Math.max(watch.committedIndex(), ...members.map(({ core }) => core?.lastIndex ?? 0));
		return members.map(({ id }) => id).filter((id) => applied.get(id) === last);
	}

	async function stopClients(): Promise<void> {
		const patienceMs = plan.load.timeoutMs * plan.load.patience + 1_000;
		let isDone = false;
		Promise.all(clients.map((client) => client.stop())).then(() => {
			isDone = true;
		}, onOutrage);
		const limitMs = (patienceMs + 10 * plan.load.thinkMs) * 20;
		if (!(await runWhile(() => !isDone, limitMs)))
			throw new BrokenProperty("liveness", "a client hears nothing, not even its own patience");
	}

	/** Too many disks may be damaged: nobody need serve, but who does must not lie. */
	async function withoutPromise(): Promise<void> {
		await runWhile(() => true, plan.livenessMs / 4);
		await stopClients();
		await runWhile(() => !allIsApplied(), plan.livenessMs / 4);
		const count = (state: string): number =>
			cluster.members.filter((member) => member.state === state).length;
		trace.tell({ type: "beyond", refused: count("refused"), failed: count("failed"), of: plan.size });
	}

	return {
		recorder,
		get asked() {
			return new Map([...watch.asked, ...asked.times]);
		},
		onOutrage,
		throwOutrage,
		get lostWrites() {
			return lostWrites;
		},
		get reportedWrites() {
			return reportedWrites;
		},
		async safety() {
			trace.tell({ type: "phase", phase: "safety", healed: "" });
			await scheduler.runUntil(plan.safetyMs, afterEach);
		},
		async liveness() {
			nemesis.stop();
			formatChanges.stop();
			modeChanges.stop();
			leadership.stop();
			const draw = chance.fork("majority");
			healed = drawHealed(draw, { plan, nemesis, cluster, leader: newestLeader()?.id ?? null, count });
			trace.tell({ type: "phase", phase: "liveness", healed: [...healed].join(" ") });
			nemesis.heal(healed);
			if (nemesis.isBeyond) return await withoutPromise();
			// Under the load, and before anybody is asked: who was served before that would count.
			await runWhile(() => cluster.members.some(({ disk }) => disk.hangsSoon), blowMs);
			const mayLead = (): boolean =>
				nemesis.mayLead().every((voters) => voters.some((voter) => healed.has(voter)));
			leadership.permit(
				cluster.members.filter(({ id }) => healed.has(id)),
				mayLead,
			);
			if (!plan.loadDuringRecovery) for (const client of clients) void client.stop();
			const mustServe = ({ id }: Member): boolean => nemesis.staysMember(id);
			// A leader that is not healed must serve somebody, who may be about to leave (seed 700000474).
			const members = cluster.members.filter(({ id, isWitness }) => healed.has(id) && !isWitness);
			const served = probe({
				members,
				mustServe,
				scheduler,
				chance: draw,
				recorder,
				tell: trace.tell,
				onOutrage,
			});
			const isMissing = (): boolean => !(leaderIsHealed() ? served.all() : served.any());
			let isServed = await runWhile(isMissing, plan.livenessMs / 2);
			if (!isServed) {
				// A follower with a slower disk than the others' may never catch up with the load (seed 310001900).
				for (const client of clients) void client.stop();
				isServed = await runWhile(isMissing, plan.livenessMs / 2);
			}
			if (!isServed) {
				throw new BrokenProperty(
					"liveness",
					`after ${plan.livenessMs} ms with ${[...healed].join(", ")} healed: ${served.missing()}`,
				);
			}
			served.stop();
			await stopClients();
			// The judgement needs every committed write, and reads them where they are applied.
			if (!(await runWhile(() => !allIsApplied(), plan.livenessMs))) {
				throw new BrokenProperty(
					"liveness",
					`nobody has applied ${watch.committedIndex()}, which is committed`,
				);
			}
			if (!(await runWhile(() => leaderIsHealed() && isChanging(), plan.livenessMs))) {
				throw new BrokenProperty("liveness", "a change of members does not come to its end");
			}
			const handed = handOver({
				members: membersAmong(healed, true),
				scheduler,
				tell: trace.tell,
				onOutrage,
			});
			if (!(await runWhile(() => leaderIsHealed() && !handed.done, plan.livenessMs))) {
				throw new BrokenProperty("liveness", `leadership cannot be handed over: ${handed.failure}`);
			}
			handed.stop();
			const isBehind = (): boolean =>
				leaderIsHealed() && caughtUp().length < membersAmong(healed, false).length;
			if (!(await runWhile(isBehind, plan.livenessMs))) {
				const indexes = members
					.filter(mustServe)
					.map(({ id }) => `${id} ${applied.get(id)}`)
					.join(", ");
				throw new BrokenProperty("liveness", `healed members do not reach one applied index: ${indexes}`);
			}
		},
		/**
		 * Nobody is away any more whose disk is sound: who led and was not healed reports what was lost with it, and
		 * ends in the state of the others. Who is no member in the end runs on, and need not come to that.
		 */
		async reunion() {
			healed = new Set([...healed, ...nemesis.sound]);
			trace.tell({ type: "phase", phase: "reunion", healed: [...healed].join(" ") });
			nemesis.bringBack(healed);
			// One whose disk is not sound may lead on, cut off from some of these (seed 740000314).
			for (const member of cluster.members) if (!healed.has(member.id)) member.crash("kill");
			// Who remembers nobody would take any disk for its member's, and nobody would be wiped in any run.
			const together = (): NodeId[] => membersAmong(healed, false).map(({ id }) => id);
			const knowsAll = (node: NodeId): boolean =>
				together().every((other) => other === node || nemesis.remembers(node, other));
			const isWhole = (): boolean => caughtUp().length === together().length && together().every(knowsAll);
			if (await runWhile(() => !isWhole(), nemesis.isBeyond ? plan.livenessMs / 4 : plan.livenessMs)) return;
			// Too many may be gone for anybody to lead.
			if (nemesis.isBeyond) return;
			const indexes = cluster.members.map(({ id, state }) => `${id} ${state} ${applied.get(id)}`).join(", ");
			throw new BrokenProperty(
				"liveness",
				`${together().join(", ")} do not come together: ${indexes}; by ${together().filter(knowsAll).join(", ") || "nobody"} all others are known`,
			);
		},
		judge(): boolean {
			trace.tell({ type: "phase", phase: "end", healed: "" });
			const { operations } = recorder.history;
			trace.tell({ type: "history", operations: operations.length, hash: hashOf(recorder.history) });
			const done = caughtUp().map((id) => cluster.member(id));
			const withData = done.filter(({ isWitness }) => !isWitness);
			const digests = new Map(withData.map(({ id, store }) => [id, store.digest(true) ?? ""]));
			for (const [node, digest] of digests) trace.tell({ type: "final-digest", node, digest });
			if (new Set(digests.values()).size > 1)
				throw new BrokenProperty(
					"equal applied index, equal state",
					`at the end ${[...digests].map(([id, digest]) => `${id} has ${digest}`).join(", ")}`,
				);
			const states = new Map(
				withData.map(({ id, store }): [NodeId, ReadonlyMap<Key, Value>] => [id, store.registers()]),
			);
			const committed = allIsApplied()
				? { termAt: (index: LogIndex) => effects.committedTerm(index), effects: effects.effects }
				: null;
			const { history, lost } = withoutLost(recorder.history, committed);
			const isBack = (node: NodeId): boolean => done.some(({ id }) => id === node);
			const together = membersAmong(healed, false);
			const excuse = duties(leaders, (node) =>
				excuseOf({
					hasDamaged: nemesis.hasDamaged(node),
					isSound: healed.has(node),
					isMember: together.some(({ id }) => id === node),
					isBack: isBack(node),
					isBeyond: nemesis.isBeyond,
				}),
			);
			const isHeld = (node: NodeId, { term, index }: Position): boolean =>
				done.some(({ id, core }) => id === node && core?.termAt(index) === term);
			const reports = new Map(cluster.members.map(({ id, disk }) => [id, reportsOn(disk)]));
			lostWrites = lost.length;
			if (committed !== null) {
				const isKnownCommitted = (node: NodeId, { term, index }: Position): boolean =>
					isBack(node) && !nemesis.hasDamaged(node) && committed.termAt(index) === term;
				const { reported, excuses } = checkReports({ lost, reports, isHeld, isKnownCommitted, excuse });
				reportedWrites = reported;
				for (const one of excuses) count(`lost write unreported (${one})`);
				ask(
					"lost writes are reported",
					lost.length + [...reports.values()].reduce((sum, { size }) => sum + size, 0),
				);
				ask("acknowledgement mode", modeChanges.answered.length);
				if (profile.name === "sqlite") ask("log format", formatChanges.answered.length);
				ask("answered in the mode that was chosen", answeredModes.length);
				checkRefusedTokens(refusedTokens, committed);
				for (const changes of [formatChanges, modeChanges]) changes.check((index) => effects.chosenAt(index));
				checkAnsweredModes(answeredModes, {
					first: plan.load.nodeMode,
					choices: effects.choices,
					termAt: committed.termAt,
					answered: modeChanges.answered,
				});
			}
			return checkAll({ history, effects: committed?.effects ?? null, states, ask }).decided;
		},
		dispose() {
			nemesis.stop();
			formatChanges.stop();
			modeChanges.stop();
			leadership.stop();
			for (const member of cluster.members) member.crash("kill");
			cluster.dispose();
		},
	};
}

function failureOf(error: unknown, trace: Trace): Failure {
	const { property, what } = described(error);
	trace.tell({ type: "broken", property, what });
	const kind: FailureKind = property === "crash" || property === "liveness" ? property : "safety";
	return { kind, property, what, events: trace.last() };
}

function described(error: unknown): Pick<Failure, "property" | "what"> {
	if (error instanceof BrokenProperty) return { property: error.property, what: error.message };
	if (error instanceof Livelock) return { property: "liveness", what: error.message };
	return { property: "crash", what: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
