/**
 * Counts the topics that publishing created, by the publisher's address: one client must not use up the node's limit.
 */

/** Addresses that are remembered. The one that was silent longest is forgotten first. */
const peersMax = 10_000;

export interface CreatedByPeer {
  /** Counts a topic that is about to be created for a peer. False: the peer has reached its limit. */
  take(peer: string): boolean;
  /** Takes back a count: the topic was not created. */
  giveBack(peer: string): void;
}

export function createdByPeer(topicsMax: number): CreatedByPeer {
  // A Map keeps insertion order: the address with the oldest creation is first.
  const counts = new Map<string, number>();
  return {
    take(peer) {
      const host = hostOf(peer);
      const count = counts.get(host) ?? 0;
      if (count >= topicsMax) return false;
      counts.delete(host);
      counts.set(host, count + 1);
      for (const oldest of counts.keys()) {
        if (counts.size <= peersMax) break;
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

/** A peer's address without its port: each connection of a client has another port. */
export function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, "");
}
