/**
 * A reader stays in its transaction while others write: no checkpoint is complete meanwhile, and what it could not
 * copy back is durable in the log only. Then the power goes. A log that was cut up to there is missed at the next start.
 */
import type { Member } from "../cluster/member.ts";
import { programOf, readStatement, statement } from "../machine/statements.ts";
import type { Stage } from "./plot-stage.ts";

/** Between two reads: less than a transaction may be idle. */
const pauseMs = 60;
const request = {
	consistency: { level: "eventual" },
	idempotencyKey: null,
	acknowledgement: null,
	timeoutMs: 1_000,
} as const;

export function lingeringReader(stage: Stage, member: Member): void {
	const { chance, tell, later } = stage;
	tell({ type: "plot", plot: "lingering reader", node: member.id });
	const connection = stage.connect(member);
	let readsLeft = chance.pick([5, 15, 50]);

	function read(begins: boolean): void {
		const key = readStatement("r0");
		const program = programOf(begins ? [statement("BEGIN TRANSACTION READONLY"), key] : [key]);
		void connection.send(program, request, 2_000).then((reply) => {
			readsLeft--;
			later(pauseMs, () => {
				// An answer that never came may still be on its way: nothing else can be asked behind it.
				if (readsLeft > 0 && reply.type === "answer") return read(false);
				member.crash("power");
				connection.close();
			});
		});
	}

	read(true);
}
