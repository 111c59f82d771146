/** Entries of the log as the database takes them: fragments put together, or piece by piece where it takes them so. */
import { decodeConfiguration } from "../consensus/configuration.ts";
import type { Entry } from "../consensus/types.ts";
import type { AppliedEntry, Database } from "../database/database.ts";
import { createFragmentJoiner, isFirstPiece, pieceOf } from "./fragments.ts";

export interface AppliedEntries {
	/** Null: it is part of what comes later. */
	next(entry: Entry): AppliedEntry | null;
	/** The next entry is the first behind one that was applied. */
	reset(): void;
}

export function createAppliedEntries(database: Pick<Database, "takesPieces">): AppliedEntries {
	const joiner = createFragmentJoiner();
	let inPieces = false;

	function reset(): void {
		joiner.reset();
		inPieces = false;
	}

	/** Null: it is none that is handed on by itself. */
	function pieceKind(entry: Entry): "first-piece" | "later-piece" | "last-piece" | null {
		const isLast = entry.kind === "command";
		if (isFirstPiece(entry)) {
			inPieces = !isLast && database.takesPieces?.(pieceOf(entry)) === true;
			if (!inPieces) return null;
			joiner.reset();
			return "first-piece";
		}
		if (!inPieces) return null;
		inPieces = !isLast;
		return isLast ? "last-piece" : "later-piece";
	}

	return {
		next(entry) {
			const position = { term: entry.term, index: entry.index };
			switch (entry.kind) {
				case "metadata":
					// A witness's database has no rows: all that it takes in is how far it is.
					return { position, kind: "barrier", payload: entry.payload, configuration: null };
				case "barrier":
					reset();
					return { position, kind: "barrier", payload: entry.payload, configuration: null };
				case "configuration":
					return {
						position,
						kind: "configuration",
						payload: entry.payload,
						configuration: decodeConfiguration(entry.payload),
					};
				case "fragment":
				case "command": {
					const kind = pieceKind(entry);
					if (kind !== null) return { position, kind, payload: pieceOf(entry), configuration: null };
					const payload = joiner.add(entry);
					return payload === null ? null : { position, kind: "command", payload, configuration: null };
				}
			}
		},
		reset,
	};
}

/** Something of it is in the database behind `apply`: not so pieces without their end. */
export function isEffect({ kind }: AppliedEntry): boolean {
	return kind !== "first-piece" && kind !== "later-piece";
}
