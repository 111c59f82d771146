/**
 * SQL beside the registers, for profiles that have a real database: schema changes, triggers, indexes,
 * rows of tables of every kind. Nothing in it depends on time or chance of SQLite's own, so that a run
 * can be repeated. What it says does not matter, only that all members end with the same.
 */
import type { Statement } from "../../../skein/src/database/program.ts";
import type { Chance } from "../engine/chance.ts";

export interface OtherStatements {
	/** Breaks a foreign key: fails where they hold. */
	readonly orphan: Statement;
	/** So that those do not grow: not in one statement with an orphan, since one that goes makes up for one that comes. */
	readonly fewerOrphans: Statement;
	/** Cannot fail and does not touch registers: may stand in a transaction with what is judged. */
	harmless(chance: Chance): Statement;
	/** A few that belong together; any of them may fail. */
	some(chance: Chance): Statement[];
}

const tables = ["x0", "x1", "x2", "x3"] as const;

/** All have a and b. */
const shapes = [
	"TABLE IF NOT EXISTS $ (a INTEGER PRIMARY KEY, b TEXT, c REAL)",
	"TABLE IF NOT EXISTS $ (a, b, c DEFAULT 7)",
	"TABLE IF NOT EXISTS $ (a TEXT NOT NULL PRIMARY KEY, b, c) WITHOUT ROWID",
	"TABLE IF NOT EXISTS $ (a INTEGER PRIMARY KEY AUTOINCREMENT, b UNIQUE ON CONFLICT REPLACE, c)",
	"TABLE IF NOT EXISTS $ (a REAL PRIMARY KEY, b TEXT COLLATE NOCASE UNIQUE, c INT AS (length(b)) STORED)",
	"TABLE IF NOT EXISTS $ (a INTEGER PRIMARY KEY, b CHECK (b <> 'b3'), c REFERENCES $ (a) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)",
	"VIRTUAL TABLE IF NOT EXISTS $ USING fts5(a, b)",
] as const;

const noted = "INSERT INTO audit (what) VALUES ('#')";

const harmless = [
	"CREATE INDEX IF NOT EXISTS registers_value ON registers (value)",
	"DROP INDEX IF EXISTS registers_value",
	`CREATE TRIGGER IF NOT EXISTS registers_noted AFTER UPDATE ON registers BEGIN INSERT INTO audit (what) VALUES (new.key); END`,
	"DROP TRIGGER IF EXISTS registers_noted",
	"PRAGMA user_version = #",
	noted,
	noted,
] as const;

const rows = [
	"INSERT INTO $ (a, b) VALUES (#, 'b#')",
	"INSERT INTO $ (a, b) VALUES (#, 'b#'), (#, 'b#'), (#, x'0#')",
	"INSERT OR REPLACE INTO $ (a, b) VALUES (#, 'b#'), (#, 'B#')",
	"INSERT OR IGNORE INTO $ (a, b) VALUES (#, 'b#'), (#, 'B#')",
	"INSERT OR FAIL INTO $ (a, b) VALUES (#, 'b#'), (#, 'B#') RETURNING a",
	"INSERT INTO $ (a, b) SELECT b, a FROM $ LIMIT 5",
	"INSERT INTO $ (a, b) VALUES (#, 'b#') ON CONFLICT DO UPDATE SET b = substr(b || excluded.b, -20)",
	"UPDATE $ SET b = substr(b || 'y#', -20) WHERE a % 3 = 0",
	"UPDATE $ SET a = a + 1 WHERE a > #",
	// Of the connection: none is the same.
	"UPDATE $ SET b = total_changes() WHERE a = #",
	"INSERT INTO audit (what) VALUES (last_insert_rowid())",
	"UPDATE OR REPLACE $ SET a = #",
	"DELETE FROM $ WHERE a > #",
	"DELETE FROM $ WHERE b LIKE 'b1%'",
	"DELETE FROM $ WHERE a IN (SELECT a FROM $ LIMIT 1)",
	"DELETE FROM $",
	"SELECT * FROM $",
] as const;

const schemas = [
	"CREATE INDEX IF NOT EXISTS $_b ON $ (b)",
	"CREATE UNIQUE INDEX $_few ON $ (b, a) WHERE a > #",
	"CREATE INDEX $_long ON $ (length(b) DESC)",
	"DROP INDEX IF EXISTS $_b",
	"CREATE TRIGGER $_noted AFTER INSERT ON $ BEGIN INSERT INTO audit (what) VALUES (new.a); END",
	"CREATE TRIGGER $_refusing BEFORE UPDATE ON $ WHEN new.a = # BEGIN SELECT RAISE(ABORT, 'not this'); END",
	"CREATE TRIGGER $_copying AFTER DELETE ON $ BEGIN INSERT OR IGNORE INTO $ (a, b) VALUES (old.b, old.a); END",
	"DROP TRIGGER IF EXISTS $_noted",
	"DROP TRIGGER IF EXISTS $_copying",
	"CREATE VIEW IF NOT EXISTS $_seen AS SELECT a, count(*) AS number FROM $ GROUP BY b",
	"DROP VIEW IF EXISTS $_seen",
	"ALTER TABLE $ ADD COLUMN d DEFAULT #",
	"ALTER TABLE $ DROP COLUMN c",
	"ALTER TABLE $ RENAME TO $",
	"ALTER TABLE $ RENAME COLUMN b TO e",
	"ALTER TABLE $ RENAME COLUMN e TO b",
	"DROP TABLE $",
	"CREATE TABLE IF NOT EXISTS $ AS SELECT * FROM $",
	"REINDEX",
	"ANALYZE",
] as const;

/** Holds the last that triggers and clients noted, so that it does not grow. */
export const otherSchema = `
CREATE TABLE audit (number INTEGER PRIMARY KEY, what ANY) STRICT;
CREATE TRIGGER audit_kept AFTER INSERT ON audit BEGIN DELETE FROM audit WHERE number <= new.number - 20; END;
CREATE TABLE parents (id INTEGER PRIMARY KEY) STRICT;
CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parents) STRICT;
`;

const plain = (sql: string): Statement => ({ sql, arguments: [], namedArguments: [], wantRows: true });

function statementFrom(template: string, chance: Chance): Statement {
	const table = chance.pick(tables);
	// $ is one table, but for the second of statements that connect two.
	let places = 0;
	const two = /AS SELECT \* FROM|RENAME TO|SELECT b, a FROM|SELECT a FROM|_copying AFTER/.test(template);
	const sql = template
		.replaceAll("$", () => (two && places++ > 0 ? chance.pick(tables) : table))
		.replaceAll("#", () => String(chance.below(10)));
	return { sql, arguments: [], namedArguments: [], wantRows: true };
}

/** `registerTriggers`: also what fires when registers are written, which are logged as rows then. */
export function createOtherStatements({
	registerTriggers,
}: {
	readonly registerTriggers: boolean;
}): OtherStatements {
	const templates = registerTriggers ? harmless : harmless.filter((one) => !one.includes("registers_noted"));
	return {
		orphan: plain("INSERT INTO children (parent) VALUES (1)"),
		fewerOrphans: plain("DELETE FROM children WHERE id <= (SELECT max(id) FROM children) - 20"),
		harmless: (chance) => statementFrom(chance.pick(templates), chance),
		some,
	};
}

function some(chance: Chance): Statement[] {
	const statements = Array.from({ length: chance.integer(1, 5) }, () => {
		const kind = chance.next();
		if (kind < 0.15) return statementFrom(`CREATE ${chance.pick(shapes)}`, chance);
		if (kind < 0.3) return statementFrom(chance.pick(schemas), chance);
		return statementFrom(chance.pick(rows), chance);
	});
	switch (chance.below(5)) {
		case 0:
			return [plain("BEGIN IMMEDIATE"), ...statements, plain("COMMIT")];
		case 1:
			return [plain("BEGIN"), ...statements, plain("ROLLBACK")];
		case 2:
			return [
				plain("SAVEPOINT inner"),
				...statements,
				plain(chance.pick(["ROLLBACK TO inner", "RELEASE inner"])),
			];
		default:
			return statements;
	}
}
