/** What a check says about a promise that was not kept: one sentence and the operations to look at. Empty lists: all is well. */
export interface Violation {
	readonly reason: string;
	readonly operations: readonly number[];
}
