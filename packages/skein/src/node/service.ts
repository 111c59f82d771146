/**
 * What a node offers to those who speak for clients: the HTTP server, the shell of the library.
 * Everything here works on any node; where the request really runs is the node's business.
 */

import type { Acknowledgement } from "../consensus/acknowledge/acknowledgement.ts";
import type { ElectorName, LogIndex, NodeId, Position, Priority, Role } from "../consensus/types.ts";
import type { LogExplanation } from "../database/explanation.ts";
import type { LogFormat } from "../database/log-format.ts";
import type { Description, Program, ProgramOutcome } from "../database/program.ts";
import type { SettingChange } from "../database/setting-change.ts";
import type { Milliseconds } from "../world/clock.ts";
import type { WireVersions } from "../world/network.ts";
import type { Degradation } from "./degradation.ts";
import type { StandAnswer, StandRequest } from "./electing.ts";
import type { PauseAnswer, PauseRequest } from "./elections.ts";
import type { MembersAnswer, MembersRequest } from "./member-changes.ts";
import type { StepDownAnswer, StepDownRequest } from "./step-down.ts";
import type { TransferAnswer } from "./transfer-requests.ts";

export type Consistency =
	| { readonly level: "linearizable" }
	/** `token`: what the session has seen so far; null: it begins. */
	| { readonly level: "session"; readonly token: Position | null }
	| { readonly level: "bounded"; readonly maxStalenessMs: Milliseconds }
	| { readonly level: "eventual" };

export interface RequestOptions {
	readonly consistency: Consistency;
	readonly idempotencyKey: string | null;
	/** When a write may be answered; null: as it is chosen for the database. */
	readonly acknowledgement: Acknowledgement | null;
	/** How long this request may take in all, waiting for a leader included. */
	readonly timeoutMs: Milliseconds;
}

export interface Answer {
	readonly outcome: ProgramOutcome;
	/** What the answer reflects: for a write its own entry, for a read the state it saw. */
	readonly position: Position;
	/** How old the state that a read saw was, at most, where that is proven; null: unknown, or a write. */
	readonly stalenessMs: Milliseconds | null;
	/** A read on a member that was in-sync when it began, by its own knowledge; null: a write, or within a transaction. */
	readonly inSync: boolean | null;
	/** The answer was stored for the request's idempotency key by an earlier try. */
	readonly replayed: boolean;
	/** The mode that a write was answered in; null: a read, or its transaction is open. */
	readonly acknowledgement: Acknowledgement | null;
}

/**
 * One client's connection in the sense of SQLite: it may hold a transaction open between two
 * programs, and remembers its `PRAGMA foreign_keys`. Programs of one stream run one at a time.
 */
export interface Stream {
	/** Throws SkeinError for what concerns the request as a whole; a statement's own failure is in the outcome. */
	run(program: Program, options: RequestOptions): Promise<Answer>;
	describe(sql: string, options: RequestOptions): Promise<Description>;
	/** False while a transaction is open. */
	readonly autocommit: boolean;
	/** True if nothing would be lost by forgetting the stream (autocommit and default pragmas). */
	readonly disposable: boolean;
	/** Rolls back what is open. Never throws. */
	close(): Promise<void>;
}

export interface MemberView {
	/** joining: a learner that votes as soon as it keeps pace. leaving: it votes until the change under way is over. */
	readonly kind: "voter" | "witness" | "learner" | "joining" | "leaving";
	readonly priority: Priority;
	/** What this node knows: exact for itself, for others as last heard; null: unknown. */
	readonly role: Role | null;
	readonly url: string | null;
	readonly peer: string;
	readonly version: string | null;
	/** Of messages between nodes, that it understands; null: unknown. */
	readonly wire: WireVersions | null;
	readonly matchIndex: number | null;
	/** Where its log ends on disk: this node's own only (`skein recover` compares survivors by it). */
	readonly last: Position | null;
	readonly appliedIndex: number | null;
	readonly lagEntries: number | null;
	readonly lagBytes: number | null;
	readonly lagMs: number | null;
	readonly inSync: boolean | null;
	readonly reachable: boolean;
	/** Reported in lost/ on its disk; one loss may be reported by several members. */
	readonly lostTransactions: number | null;
}

export interface ElectionsView {
	/** Elections are paused for so long; 0: they are not. */
	readonly pausedForMs: Milliseconds;
	/** It stepped down for an operator, and does not stand for so long. */
	readonly restsForMs: Milliseconds;
}

export interface DatabaseView {
	readonly term: number;
	readonly leader: NodeId | null;
	readonly commitIndex: number;
	/** Of writes that this node is asked and that name no other: the default of the node that answers, whoever leads. */
	readonly acknowledgement: string;
	readonly format: LogFormat;
	/** Who stands, and when: the log's, or that of the node that answers where the log names none. */
	readonly elector: ElectorName;
	/** Of the node that answers: whether it stands by itself. */
	readonly elections: ElectionsView;
	/** At most so many: the sum over the members that were heard. What several of them report counts as often. */
	readonly lostTransactions: number;
	/** Modes that are not met now, or only with fewer members. Known to the leader only; elsewhere empty. */
	readonly degraded: readonly Degradation[];
	/** The followers through which entries travel, the tail last. Known to the leader only; empty too where each is sent to directly. */
	readonly chain: readonly NodeId[];
	readonly members: Readonly<Record<NodeId, MemberView>>;
}

export interface ClusterView {
	readonly cluster: string;
	readonly node: NodeId;
	readonly version: string;
	readonly databases: Readonly<Record<string, DatabaseView>>;
}

export interface Readiness {
	readonly ready: boolean;
	/** Why not, in words for an operator; empty when ready. */
	readonly reason: string;
}

export interface Service {
	readonly nodeId: NodeId;
	openStream(): Stream;
	/** The whole cluster as seen from here; asks the leader for what only it knows. */
	cluster(): Promise<ClusterView>;
	/** What this node itself knows of it, now; the log format as of the last `cluster` here. */
	ownView(): ClusterView;
	readiness(): Readiness;
	/** Resolves when the new leader serves. `to` null: the most up-to-date voter. */
	transfer(to: NodeId | null, dryRun?: boolean): Promise<TransferAnswer>;
	/** Whoever leads stops to, and somebody else gets it; refused where nobody can, unless that is confirmed. */
	stepDown(request: StepDownRequest): Promise<StepDownAnswer>;
	/** No member stands by itself for a while, or all do again. */
	pauseElections(request: PauseRequest): Promise<PauseAnswer>;
	/** A member asks for leadership now, whatever its elector says; resolves when it has it. */
	stand(request: StandRequest): Promise<StandAnswer>;
	/** Resolves when the change is committed; asked again, it changes nothing twice. */
	changeMembers(request: MembersRequest): Promise<MembersAnswer>;
	/** How statements would be logged, by the schema that this node has; null: in the database's own format. */
	explain(sql: string, format: LogFormat | null): Promise<LogExplanation>;
	/** Changes the log format, or the mode of writes that name none, by a logged entry, whose index is told; applied on this node when it resolves. */
	changeSetting(change: SettingChange): Promise<{ readonly index: LogIndex }>;
}
