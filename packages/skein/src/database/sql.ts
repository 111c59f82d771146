/** What must be known of a statement before SQLite sees it. (Grows: splitting, parameters, refusals.) */

/**
 * read: cannot write, may run on any reader. write: changes rows. schema: changes the schema.
 * begin … rollback-to: transaction control. pragma: a PRAGMA that is allowed and is none of the above.
 */
export type StatementKind =
	| "read"
	| "write"
	| "schema"
	| "begin"
	| "commit"
	| "rollback"
	| "savepoint"
	| "release"
	| "rollback-to"
	| "pragma-foreign-keys"
	| "pragma-write";
