/**
 * What of a database's first page says how often the file was written, and by which version of SQLite
 * (https://sqlite.org/fileformat2.html §1.3): of no meaning in WAL mode, and another after a copy by SQLite's backup. It is
 * made the same everywhere, so that members' files can be compared byte for byte.
 */

const changeCounterAt = 24;
const schemaVersionAt = 40;
const versionValidForAt = 92;
const sqliteVersionAt = 96;
/** The first that could write such a file. */
const sqliteVersion = 3007000;

export function withoutHistory(firstPage: Uint8Array): Uint8Array {
	const page = firstPage.slice();
	const view = new DataView(page.buffer);
	view.setUint32(changeCounterAt, 1);
	// Equal to the one above, else SQLite would not believe the number of pages.
	view.setUint32(versionValidForAt, 1);
	view.setUint32(sqliteVersionAt, sqliteVersion);
	return page;
}

export function schemaVersionOf(firstPage: Uint8Array): number {
	return new DataView(firstPage.buffer, firstPage.byteOffset).getUint32(schemaVersionAt);
}

export function withSchemaVersion(firstPage: Uint8Array, schemaVersion: number): Uint8Array {
	const page = firstPage.slice();
	new DataView(page.buffer).setUint32(schemaVersionAt, schemaVersion >>> 0);
	return page;
}
