/**
 * The node's hold on what it claimed: a row that it renews. Whether the hold is certain is told by this node's own clocks,
 * from when a renewal was *sent*: so it is over here before it can be over in the database, also for a process that was
 * stopped and does not know yet. The monotonic clock is exact; the one since boot goes on while the machine sleeps. The wall
 * clock is not asked: it jumps when it is set, and that must not end a hold.
 */

import { randomBytes } from "node:crypto";
import type { Limits } from "../../core/index.js";
import { sleep } from "../../streams/index.js";
import type { Clock, Logger } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";

/** How many renewals a lease has time for. */
const renewals = 3;

export interface NodeSessionParts {
  readonly lanes: DatabaseLanes;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly logger: Logger;
  /** As Describe names the node. */
  readonly node: string;
  /** Names a new hold: above 0, and unlike all others'. Default: by chance. */
  readonly newSession?: (() => number) | undefined;
  /** It was ended by others: whatever was claimed with it may be somebody else's. */
  readonly onLost: () => void;
}

export interface NodeSession {
  /** Names the hold; 0 while there is none. */
  readonly session: number;
  /** Whether it is certain at this moment. */
  readonly isHeld: boolean;
  /** Opens one, if there is none. */
  open(): Promise<void>;
  /** Ends it, and frees all that it has claimed. */
  close(): Promise<void>;
}

export function createNodeSession(parts: NodeSessionParts): NodeSession {
  const { lanes, limits, clock, logger, newSession = randomSession } = parts;
  const leaseMs = limits.sessionLeaseMs;
  let session = 0;
  let heldUntil = { monotonicMs: 0, bootMs: 0 };
  let renewing: { readonly end: AbortController; readonly done: Promise<void> } | undefined;
  /** Opening and closing come one after the other. */
  let turn: Promise<void> = Promise.resolve();

  /** What the clocks say when a renewal is sent. */
  function now(): typeof heldUntil {
    return { monotonicMs: clock.monotonicMs(), bootMs: clock.bootMs() };
  }

  function holdFrom(sent: typeof heldUntil): void {
    heldUntil = { monotonicMs: sent.monotonicMs + leaseMs, bootMs: sent.bootMs + leaseMs };
  }

  async function open(): Promise<void> {
    if (session !== 0) return;
    const opened = newSession();
    const sent = now();
    await lanes.run("append", (store) => store.openSession({ session: opened, node: parts.node, leaseMs }));
    // What a node that died has held is free at once where its lease is over.
    await lanes.run("live", (store) => store.endExpiredSessions());
    holdFrom(sent);
    session = opened;
    const end = new AbortController();
    renewing = { end, done: renew(opened, end.signal) };
  }

  /** Never throws. */
  async function renew(own: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(leaseMs / renewals, clock, signal).catch(() => undefined);
      if (signal.aborted) return;
      const sent = now();
      try {
        const isAlive = await lanes.run("append", (store) => store.renewSession(own, leaseMs));
        if (!isAlive) {
          logger.warn(
            { session: own },
            "others ended this node's hold on its subscriptions: it did not answer for too long",
          );
          if (session === own) session = 0;
          parts.onLost();
          return;
        }
        holdFrom(sent);
        await lanes.run("live", (store) => store.endExpiredSessions(), signal);
      } catch (error) {
        if (!signal.aborted) logger.warn({ err: error }, "cannot renew the hold on subscriptions; trying again");
      }
    }
  }

  async function close(): Promise<void> {
    renewing?.end.abort();
    await renewing?.done;
    renewing = undefined;
    const own = session;
    session = 0;
    if (own === 0) return;
    // Where the database is away it ends by itself.
    await lanes
      .run("append", (store) => store.closeSession(own))
      .catch((error: unknown) => logger.warn({ err: error }, "cannot end the hold on subscriptions; it expires"));
  }

  function inTurn(work: () => Promise<void>): Promise<void> {
    const next = turn.then(work);
    turn = next.catch(() => undefined);
    return next;
  }

  return {
    get session() {
      return session;
    },
    get isHeld() {
      return session !== 0 && clock.monotonicMs() < heldUntil.monotonicMs && clock.bootMs() < heldUntil.bootMs;
    },
    open: () => inTurn(open),
    close: () => inTurn(close),
  };
}

function randomSession(): number {
  return randomBytes(6).readUIntBE(0, 6) || 1;
}
