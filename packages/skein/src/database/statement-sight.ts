/**
 * What SQLite's authorizer tells of a statement while it is prepared: everything that it will touch, through
 * triggers, views and foreign keys too. Kept from the one time that a statement is prepared: to prepare it again only
 * to look would leave another statement behind, which node:sqlite frees whenever it likes.
 */
import { constants } from "node:sqlite";
import type { Sight } from "./connection.ts";

export interface StatementSight {
	readonly inserted: ReadonlySet<string>;
	/** Columns, folded, by table. */
	readonly updated: ReadonlyMap<string, ReadonlySet<string>>;
	readonly deleted: ReadonlySet<string>;
	readonly read: ReadonlySet<string>;
	readonly functions: ReadonlySet<string>;
	/** Triggers, views and common table expressions inside of which something happens. */
	readonly inside: ReadonlySet<string>;
}

export interface SightCollector {
	readonly see: Sight;
	readonly sight: () => StatementSight;
}

/** Keeps what it is told as it comes: few statements are ever looked at. */
export function createSightCollector(): SightCollector {
	const told: (readonly [action: number, first: string, second: string, inside: string | null])[] = [];
	return {
		see: (action, first, second, inside) => void told.push([action, first ?? "", second ?? "", inside]),
		sight() {
			const updated = new Map<string, Set<string>>();
			const namesOf = (action: number): Set<string> =>
				new Set(told.filter(([one]) => one === action).map(([, first]) => first));
			for (const [action, table, column] of told) {
				if (action !== constants.SQLITE_UPDATE) continue;
				updated.set(table, (updated.get(table) ?? new Set()).add(foldName(column)));
			}
			return {
				inserted: namesOf(constants.SQLITE_INSERT),
				updated,
				deleted: namesOf(constants.SQLITE_DELETE),
				read: namesOf(constants.SQLITE_READ),
				functions: new Set(
					told.filter(([action]) => action === constants.SQLITE_FUNCTION).map(([, , name]) => name),
				),
				inside: new Set(told.flatMap(([, , , inside]) => (inside === null ? [] : [inside]))),
			};
		},
	};
}

/** Names are folded as SQLite compares them: ASCII only. */
export function foldName(name: string): string {
	return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
