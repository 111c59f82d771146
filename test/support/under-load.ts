/** The frame of every fault test: the ledger runs, the fault happens, all is healed, and then everything must be right. */
import { expect } from "vitest";
import type { Cluster } from "./cluster.ts";
import { expectEqualMembers } from "./compare.ts";
import { type Ledger, type LedgerOptions, type LedgerReport, openLedger } from "./ledger.ts";

export async function underLoad(
	cluster: Cluster,
	fault: (ledger: Ledger) => Promise<void>,
	options: LedgerOptions = {},
): Promise<LedgerReport> {
	const ledger = await openLedger(cluster, options);
	let report: LedgerReport;
	try {
		await ledger.progress(50);
		await fault(ledger);
		await cluster.heal();
		await ledger.progress(20);
	} finally {
		report = await ledger.stop();
	}
	await ledger.check();
	if (cluster.nodes.length > 1) await expectEqualMembers(cluster);
	expect(report.acknowledged).toBeGreaterThanOrEqual(70);
	return report;
}
