/** What a case of sql-cases.ts is. */

export interface SqlCase {
	readonly name: string;
	readonly before: readonly (readonly string[])[];
	readonly after: readonly (readonly string[])[];
}

/** Each statement a request of its own. */
export function each(...statements: readonly string[]): string[][] {
	return statements.map((statement) => [statement]);
}
