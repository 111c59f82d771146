// How the commands use the client.
import type { ConnectOptions } from "../../../client/src/index.ts";

export const commandLineClient: ConnectOptions = {
	// A person waits: an absent cluster is told at once.
	connectTimeoutMs: 300,
	// So that a number is always a REAL, and 1.0 can be shown as what it is.
	integers: "bigint",
};
