/**
 * What a client's sessions have seen, as tokens say. A session moves with the client from member to member. One whose
 * token is of a write that was acknowledged early and lost is told so, and begins anew under another name.
 */
import type { Position } from "../../../skein/src/consensus/types.ts";
import { laterOf } from "../../../skein/src/node/session-token.ts";

export interface SessionTokens {
	name(session: number): string;
	token(session: number): Position | null;
	/** `isEarly`: in a mode that may lose it. */
	answered(session: number, position: Position, isEarly: boolean): void;
	/** Its token is of no history, it was told. Returns the token if that can be; null: nothing of it can be lost. */
	refused(session: number): Position | null;
}

interface Session {
	readonly life: number;
	readonly token: Position | null;
	readonly isEarly: boolean;
}

export function createSessionTokens(client: string, count: number): SessionTokens {
	const sessions: Session[] = Array.from({ length: count }, () => ({ life: 0, token: null, isEarly: false }));

	function of(session: number): Session {
		const one = sessions[session];
		if (one === undefined) throw new RangeError(`there is no session ${session}`);
		return one;
	}

	return {
		name(session) {
			const { life } = of(session);
			return life === 0 ? `${client}/${session}` : `${client}/${session} (${life})`;
		},
		token: (session) => of(session).token,
		answered(session, position, isEarly) {
			const before = of(session);
			const token = laterOf(before.token, position);
			if (token === position) sessions[session] = { ...before, token, isEarly };
		},
		refused(session) {
			const { life, token, isEarly } = of(session);
			if (!isEarly) return null;
			sessions[session] = { life: life + 1, token: null, isEarly: false };
			return token;
		},
	};
}
