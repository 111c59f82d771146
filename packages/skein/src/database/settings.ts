/** What can be set about a database. Cloned to the threads: plain data. */
export interface DatabaseSettings {
	/** Reader threads. */
	readonly readers: number;
	/** Read transactions open at once. */
	readonly maxReadTransactions: number;
	/** Readers that exceeded their time and could not be stopped yet; one more read that needs a new one is OVERLOADED. */
	readonly maxAbandonedReaders: number;
	/** Reads that wait for a reader. */
	readonly maxQueuedReads: number;
	readonly maxResultRows: number;
	readonly maxResultBytes: number;
	/** Bytes of the payload of one transaction. */
	readonly maxTransactionBytes: number;
	/** Outcomes stored for idempotency keys: how many, and for how long. */
	readonly maxStoredOutcomes: number;
	readonly storedOutcomeAgeMs: number;
}

export const defaultDatabaseSettings: DatabaseSettings = {
	readers: 2,
	maxReadTransactions: 64,
	maxAbandonedReaders: 4,
	maxQueuedReads: 20_000,
	maxResultRows: 100_000,
	maxResultBytes: 32 * 1024 * 1024,
	maxTransactionBytes: 512 * 1024 * 1024,
	maxStoredOutcomes: 10_000,
	storedOutcomeAgeMs: 24 * 3_600_000,
};
