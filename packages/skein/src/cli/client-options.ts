// How the commands use the client: a person waits, so an absent cluster is told at once.
import type { ConnectOptions } from "../../../client/src/index.ts";

export const commandLineClient: ConnectOptions = { connectTimeoutMs: 300 };
