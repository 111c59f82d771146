/**
 * What a disk said is durable is there after a crash: a log comes back with all of it, and with nothing
 * that was not in it or on its way to it. This is what catches a log that answers before its fsync.
 */
import type { LogIndex } from "../../../skein/src/consensus/types.ts";
import { lastIndex, linkAt } from "./hash-chain.ts";
import type { MemberLogs } from "./member-logs.ts";
import { must, type Property } from "./property.ts";

const name = "recovered log";

export function recoveredLog(logs: MemberLogs): Property {
	return {
		name,
		on: {
			started({ node }) {
				const { before, issued } = logs.get(node);
				const { durable, maybe } = before;
				const end = lastIndex(durable);
				let safe: LogIndex = end;
				const coming = new Set<string>();
				for (const work of maybe) {
					// A reset under way: the log is the old one or empty, from a snapshot that is durable elsewhere.
					if (work.type === "reset") return;
					if (work.type !== "append") continue;
					if (work.truncateFrom !== null) safe = Math.min(safe, work.truncateFrom - 1);
					for (const { index, term } of work.entries) coming.add(`${index}/${term}`);
				}
				const back = lastIndex(issued);
				must(
					back >= safe,
					name,
					() => `${node} had durable entries up to ${safe} and came back with ${back}`,
				);
				const isFirstLife = end === 0 && maybe.length === 0;
				if (isFirstLife) return;
				for (let index = issued.base.index + 1; index <= back; index++) {
					const link = linkAt(issued, index);
					const own = linkAt(durable, index);
					if (index <= safe && index > durable.base.index) {
						must(
							own?.term === link?.term,
							name,
							() =>
								`${node} had ${index} of term ${own?.term} on disk and came back with one of term ${link?.term}`,
						);
					} else if (index > safe) {
						must(
							own?.term === link?.term || coming.has(`${index}/${link?.term}`),
							name,
							() => `${node} came back with ${index} of term ${link?.term}, which it never had`,
						);
					}
				}
			},
		},
	};
}
