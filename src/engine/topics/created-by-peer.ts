/** Topics that publishing has created, by who published: one client must not use up what is meant for all. */

/** Peers that are remembered; the longest silent one is forgotten first. */
const peersMost = 10_000;

export interface CreatedByPeer {
  /** Counts a topic that a peer is about to have created. False: it may have no more. */
  take(peer: string): boolean;
  /** It was not created after all. */
  giveBack(peer: string): void;
}

export function createdByPeer(most: number): CreatedByPeer {
  // In the order of their last creation: a Map keeps insertion order.
  const counts = new Map<string, number>();
  return {
    take(peer) {
      const host = hostOf(peer);
      const count = counts.get(host) ?? 0;
      if (count >= most) return false;
      counts.delete(host);
      counts.set(host, count + 1);
      for (const oldest of counts.keys()) {
        if (counts.size <= peersMost) break;
        counts.delete(oldest);
      }
      return true;
    },
    giveBack(peer) {
      const host = hostOf(peer);
      counts.set(host, Math.max(0, (counts.get(host) ?? 0) - 1));
    },
  };
}

/** A peer's address without its port: each of a client's connections has another. */
export function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, "");
}
