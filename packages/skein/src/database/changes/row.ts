/** Provisional: changesets and schema SQL, until the whole row format is here. */
import { constants, type DatabaseSync, type Session } from "node:sqlite";
import type { Capture, ChangeFormat } from "./format.ts";

type Part =
	| { readonly type: 1; readonly bytes: Uint8Array }
	| { readonly type: 2; readonly bytes: Uint8Array };

export const rowFormat: ChangeFormat = {
	name: "row",
	prepareToCapture(connection) {
		connection.exec("PRAGMA foreign_keys = ON");
	},
	beginCapture(connection): Capture {
		let session: Session | null = connection.createSession();
		const parts: Part[] = [];
		function flush(): void {
			if (session === null) return;
			const bytes = session.changeset();
			session.close();
			session = null;
			if (bytes.length > 0) parts.push({ type: 1, bytes });
		}
		return {
			statement(kind, sql, run) {
				if (kind !== "schema" && kind !== "pragma-write") return run();
				flush();
				try {
					const result = run();
					parts.push({ type: 2, bytes: new TextEncoder().encode(sql) });
					return result;
				} finally {
					session = connection.createSession();
				}
			},
			finish() {
				flush();
				if (parts.length === 0) return null;
				const bytes = new Uint8Array(parts.reduce((sum, part) => sum + 5 + part.bytes.length, 0));
				const view = new DataView(bytes.buffer);
				let offset = 0;
				for (const part of parts) {
					bytes[offset] = part.type;
					view.setUint32(offset + 1, part.bytes.length);
					bytes.set(part.bytes, offset + 5);
					offset += 5 + part.bytes.length;
				}
				return bytes;
			},
			discard() {
				session?.close();
				session = null;
			},
		};
	},
	prepareToApply(connection: DatabaseSync) {
		connection.exec("PRAGMA foreign_keys = OFF");
		connection.setAuthorizer((action, _a, _b, _c, trigger) => {
			const writes = [
				constants.SQLITE_INSERT,
				constants.SQLITE_UPDATE,
				constants.SQLITE_DELETE,
				constants.SQLITE_SELECT,
			];
			return trigger !== null && writes.includes(action) ? constants.SQLITE_IGNORE : constants.SQLITE_OK;
		});
	},
	apply(connection, payload) {
		const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
		for (let offset = 0; offset < payload.length; ) {
			const length = view.getUint32(offset + 1);
			const bytes = payload.subarray(offset + 5, offset + 5 + length);
			if (payload[offset] === 1) {
				if (!connection.applyChangeset(bytes)) throw new Error("a changeset did not fit");
			} else connection.exec(new TextDecoder().decode(bytes));
			offset += 5 + length;
		}
	},
};
