/** A database of which only logged pages are known: what entries in the format wal did is read from it. In memory. */
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { decodePages } from "../../../../skein/src/database/changes/logged-pages.ts";
import { decodePayload } from "../../../../skein/src/database/changes/payload.ts";

export interface LoggedImage {
	/** True: the whole database came, whatever it was before. */
	apply(payload: Uint8Array): boolean;
	query(sql: string, ...values: readonly number[]): Record<string, SQLOutputValue>[];
}

/** Versions of the file format, for reading and writing: 2 is WAL mode, which a database in memory cannot have. */
const formatVersionsAt = 18;

/** `before`: what the database was when no page was logged yet. */
export function createLoggedImage(before: Uint8Array): LoggedImage {
	let image = Uint8Array.from(before);

	return {
		apply(payload) {
			let whole = false;
			for (const part of decodePayload(payload)) {
				if (part.type !== "pages") continue;
				const logged = decodePages(part.bytes);
				const { pageBytes, size, statePages } = logged;
				whole ||= statePages.length > 0;
				const next = new Uint8Array(size * pageBytes);
				next.set(image.subarray(0, next.length));
				for (const [page, bytes] of logged.read()) if (page <= size) next.set(bytes, (page - 1) * pageBytes);
				image = next;
			}
			return whole;
		},
		query(sql, ...values) {
			const copy = Uint8Array.from(image);
			copy.fill(1, formatVersionsAt, formatVersionsAt + 2);
			const connection = new DatabaseSync(":memory:");
			try {
				connection.deserialize(copy);
				return connection.prepare(sql).all(...values);
			} finally {
				connection.close();
			}
		},
	};
}
