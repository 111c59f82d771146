/**
 * A connection on which foreign keys do not hold, until it turns them on again: they are the connection's own, though all
 * clients share the leader's one writing connection, and SQLite changes them between transactions only.
 */
import type { Statement } from "../../../skein/src/database/program.ts";
import type { OtherStatements } from "../machine/other-statements.ts";
import { programOf, statement } from "../machine/statements.ts";
import type { Caller } from "./caller.ts";
import type { Reply } from "./connection.ts";
import type { AskedMode } from "./settings.ts";

export interface ForeignKeysOptions {
	readonly caller: Caller;
	readonly statements: OtherStatements;
	readonly mode: AskedMode;
	readonly onOutrage: (error: unknown) => void;
}

export async function leaveForeignKeys({
	caller,
	statements,
	mode,
	onOutrage,
}: ForeignKeysOptions): Promise<void> {
	const { orphan, fewerOrphans } = statements;
	const off = statement("PRAGMA foreign_keys = OFF");
	const on = statement("PRAGMA foreign_keys = ON");
	const connection = caller.open(caller.home);

	/** Whether the connection is as it was told to be. */
	async function send(program: readonly Statement[], mustHold: boolean): Promise<boolean> {
		const request = caller.requestFor({ level: "linearizable" }, null, mode);
		const reply = await caller.send(connection, programOf(program), request);
		const why = reply.type === "answer" ? wrongIn(reply, program.indexOf(orphan), mustHold) : null;
		if (why !== null) onOutrage(new Error(`on ${caller.home.id} ${why}`));
		return reply.type === "answer" && reply.answer.outcome.errors[0] === null;
	}

	// In its first request the group's transaction is begun anew around it; the second is of a stream without them.
	if (
		(await send([off, fewerOrphans, orphan], false)) &&
		(await send([orphan], false)) &&
		(await send([on], true))
	)
		await send([orphan], true);
	connection.close();
}

/** Null: as it must be, or something else went wrong. */
function wrongIn(reply: Extract<Reply, { type: "answer" }>, place: number, mustHold: boolean): string | null {
	if (place < 0) return null;
	const error = reply.answer.outcome.errors[place] ?? null;
	if (mustHold) return error === null ? "a foreign key was broken where they hold" : null;
	const isRefused = error?.extendedCode === "SQLITE_CONSTRAINT_FOREIGNKEY";
	return isRefused ? "a foreign key held where they are off" : null;
}
