/** Tells the other members about this one. What is lost of it is told again soon. */
import type { GroupId, NodeId } from "../consensus/types.ts";
import { encodeFor } from "../peer/encode-for.ts";
import type { StatusMessage } from "../peer/message.ts";
import type { Network } from "../world/network.ts";

export interface StatusSenderOptions {
	readonly self: NodeId;
	readonly group: GroupId;
	readonly network: Pick<Network, "send" | "wireVersion">;
}

type Status = Omit<StatusMessage, "type" | "group" | "from" | "to">;

export function createStatusSender({ self, group, network }: StatusSenderOptions) {
	return (receivers: readonly NodeId[], status: Status): void => {
		const { role, term, url, version, appliedIndex, commitIndex, ready, lostTransactions, wire } = status;
		const told = { role, term, url, version, appliedIndex, commitIndex, ready, lostTransactions, wire };
		for (const to of receivers) {
			if (to === self) continue;
			network.send(
				to,
				"control",
				encodeFor(network, "control", { type: "status", group, from: self, to, ...told }),
			);
		}
	};
}
