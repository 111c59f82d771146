// `skein start`: one node in this process, from its configuration to its exit code.

import { defaultNodeSettings } from "../node/settings.ts";
import type { NodeConfiguration, RunningNode } from "../server/start-node.ts";
import type { Logger } from "../world/logger.ts";
import { formatHostPort } from "./host-port.ts";
import { listenForStop } from "./interrupt.ts";
import { joinKind } from "./join-kind.ts";
import { createLogger } from "./logger.ts";
import {
	consensusTuning,
	nodeTuning,
	type OptionTable,
	type OptionValues,
	type startOptions,
} from "./options.ts";
import { UsageError } from "./usage-error.ts";
import { skeinVersion } from "./version.ts";

/** Beyond the node's own limit for stopping: a node that hangs must not keep a machine from stopping. */
const stopGraceMs = 5_000;

export async function start(values: OptionValues<typeof startOptions>): Promise<void> {
	const logger = await createLogger(values);
	const configuration = nodeConfiguration(values, logger);
	// A crash is logged like everything else: who reads JSON lines does not look for a bare stack.
	for (const event of ["uncaughtException", "unhandledRejection"]) {
		process.on(event, (error: unknown) => {
			logger.error({ error: asError(error) }, `the node crashed: ${event}`);
			process.exit(1);
		});
	}
	const signals = listenForStop(() => {
		logger.warn({}, "second interrupt: no clean stop");
		process.kill(process.pid, "SIGKILL");
	});
	logger.info(
		{ node: configuration.id, version: skeinVersion(), pid: process.pid, data: configuration.dataDirectory },
		"starting",
	);
	const node = await startLogged(configuration, logger);
	if (node !== null) logger.info({ node: configuration.id, url: node.url }, "listening");
	process.exitCode =
		node === null ? 1 : await untilStopped(node, signals.asked, logger, values.stopTimeoutMs + stopGraceMs);
	const stuckThreads = node?.stuckThreads() ?? 0;
	if (stuckThreads > 0) {
		// Node waits for its threads before it exits, and SQLite cannot be interrupted. Everything is closed.
		logger.warn({ stuckThreads }, "a statement does not end: the process kills itself");
		process.kill(process.pid, "SIGKILL");
	}
	// Not left to an empty event loop: what still has a timer would keep the process for as long.
	process.exit();
}

/** Null: it could not start, and the log says why. */
async function startLogged(configuration: NodeConfiguration, logger: Logger): Promise<RunningNode | null> {
	try {
		const { startNode } = await import("../server/start-node.ts");
		return await startNode(configuration);
	} catch (error) {
		logger.error(
			{ node: configuration.id, error: asError(error) },
			`cannot start: ${asError(error).message}`,
		);
		return null;
	}
}

async function untilStopped(
	node: RunningNode,
	asked: AbortSignal,
	logger: Logger,
	stopLimitMs: number,
): Promise<number> {
	const reason = await Promise.race([
		node.failed,
		new Promise<string>((resolve) => {
			if (asked.aborted) resolve(String(asked.reason));
			asked.addEventListener("abort", () => resolve(String(asked.reason)), { once: true });
		}),
	]);
	if (reason instanceof Error) {
		logger.error({ error: reason }, "the node had to stop");
		return 1;
	}
	logger.info({ signal: reason }, "stopping: handing over and finishing what is in flight");
	const limit = setTimeout(() => {
		logger.error({ stopLimitMs }, "the node did not stop in time: the process kills itself");
		process.kill(process.pid, "SIGKILL");
	}, stopLimitMs);
	await node.stop();
	clearTimeout(limit);
	logger.info({}, "stopped");
	return 0;
}

function nodeConfiguration(values: OptionValues<typeof startOptions>, logger: Logger): NodeConfiguration {
	const { id, cluster, join } = values;
	if (id === null)
		throw new UsageError("--id is missing: a name for this node that never changes, such as n1");
	const ownPeer = formatHostPort(values.peer);
	if (join !== null && cluster !== null) {
		throw new UsageError(
			"--join and --cluster exclude each other: a node joins a cluster, or is one of its first",
		);
	}
	if (values.witness && join === null) {
		throw new UsageError(
			"--witness needs --join: a witness joins a cluster that runs, and says so at each start",
		);
	}
	const members = cluster ?? [{ id, peer: join === null ? ownPeer : peerToJoin(values) }];
	if (!members.some((member) => member.id === id)) {
		throw new UsageError(
			`--cluster does not name this node: "${id}" is not among ${members.map((member) => member.id).join(", ")}`,
		);
	}
	return {
		id,
		version: skeinVersion(),
		dataDirectory: values.data ?? `skein-${id}`,
		listen: values.listen,
		peer: values.peer,
		cluster: members,
		join: join === null ? null : { urls: join, as: joinKind(values) },
		clusterId: values.clusterId,
		secret: values.secret,
		advertiseUrl: values.advertise,
		logger: logger.child({ node: id }),
		settings: {
			...pick(values, nodeTuning),
			consensus: { ...defaultNodeSettings.consensus, ...pick(values, consensusTuning) },
		},
	};
}

/** Where the others reach this node: the cluster keeps it. */
function peerToJoin({ peer, advertisePeer }: OptionValues<typeof startOptions>): string {
	const reached = advertisePeer ?? peer;
	if (["0.0.0.0", "::"].includes(reached.host)) {
		throw new UsageError(
			`--peer ${formatHostPort(peer)} is no address at which others reach this node: say it with --advertise-peer`,
		);
	}
	return formatHostPort(reached);
}

/** The values of these options alone: they have the names of the settings they set. */
function pick<Table extends OptionTable>(
	values: OptionValues<Table>,
	table: Table,
): Pick<OptionValues<Table>, keyof Table> {
	const entries = Object.keys(table).map((key) => [key, values[key]]);
	return Object.fromEntries(entries) as OptionValues<Table>;
}

function asError(error: unknown): Error {
	return error instanceof Error ? error : new Error(String(error));
}
