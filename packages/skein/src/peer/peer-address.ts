/** Where a node listens for the others: HOST:PORT, an IPv6 host in brackets. */
import type { Member, NodeId } from "../consensus/types.ts";

export interface PeerAddress {
	readonly id: NodeId;
	readonly host: string;
	readonly port: number;
}

export function peerAddress({ id, peer }: Member): PeerAddress {
	const colon = peer.lastIndexOf(":");
	const host = peer.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
	return { id, host, port: Number(peer.slice(colon + 1)) };
}
