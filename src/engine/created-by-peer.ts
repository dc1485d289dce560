/** Topics that publishing has created, by who published: one client must not use up what is meant for all. */

/** Peers that are remembered; the longest silent one is forgotten first. */
const peersMost = 10_000;

export interface CreatedByPeer {
  /** Whether a peer has created as many as it may. */
  isUsedUp(peer: string): boolean;
  /** It has created one more. */
  count(peer: string): void;
}

/** A peer is an address without its port: each of a client's connections has another. */
export function createdByPeer(most: number): CreatedByPeer {
  // In the order of their last creation: a Map keeps insertion order.
  const counts = new Map<string, number>();
  return {
    isUsedUp: (peer) => (counts.get(hostOf(peer)) ?? 0) >= most,
    count(peer) {
      const host = hostOf(peer);
      const count = (counts.get(host) ?? 0) + 1;
      counts.delete(host);
      counts.set(host, count);
      for (const oldest of counts.keys()) {
        if (counts.size <= peersMost) return;
        counts.delete(oldest);
      }
    },
  };
}

function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, "");
}
