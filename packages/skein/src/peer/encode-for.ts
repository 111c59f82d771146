/** A message in the version that the connection speaks which it is to take. */
import type { Lane, Network } from "../world/network.ts";
import { encodeMessage } from "./codec/message.ts";
import type { PeerMessage } from "./message.ts";

export function encodeFor(
	network: Pick<Network, "wireVersion">,
	lane: Lane,
	message: PeerMessage,
): Uint8Array {
	return encodeMessage(message, network.wireVersion(message.to, lane));
}
