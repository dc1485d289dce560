/**
 * The session of this node: a row that it renews, which holds all that it claimed. Whether the hold is certain is reckoned by
 * this node's own clocks from when a renewal was *sent*. So the hold ends here before it can end in the database, also for a
 * process that was stopped and does not know it yet. The monotonic clock is exact; the clock since boot goes on while the
 * machine sleeps. The wall clock is not used: it jumps when it is set, and that must not end a hold.
 */

import { randomBytes } from "node:crypto";
import type { Limits } from "../../core/index.js";
import { repeat } from "../../streams/index.js";
import type { Clock, Logger } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";

/** How many renewals are sent within a lease. */
const renewals = 3;

export interface NodeSessionParts {
  readonly lanes: DatabaseLanes;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly logger: Logger;
  /** As Describe names the node. */
  readonly node: string;
  /** Gives the id of a new session: above 0, and unlike all others. Default: at random. */
  readonly newSession?: (() => number) | undefined;
  /** Another node ended the session: its claims may be in other hands. */
  readonly onLost: () => void;
}

export interface NodeSession {
  /** Its id; 0 while there is none. */
  readonly session: number;
  /** Whether the hold is certain at this moment. */
  readonly isHeld: boolean;
  /** Opens a session, if there is none. */
  open(): Promise<void>;
  /** Ends the session, and frees all that it holds. */
  close(): Promise<void>;
}

export function createNodeSession(parts: NodeSessionParts): NodeSession {
  const { lanes, limits, clock, logger, newSession = randomSession } = parts;
  const leaseMs = limits.sessionLeaseMs;
  let session = 0;
  let heldUntil = { monotonicMs: 0, bootMs: 0 };
  let renewing: { readonly end: AbortController; readonly done: Promise<void> } | undefined;
  /** `open` and `close` run one after the other. */
  let turn: Promise<void> = Promise.resolve();

  /** To be called when a renewal is sent. */
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
    // Frees at once what a node held that died, where its lease is over.
    await lanes.run("live", (store) => store.endExpiredSessions());
    holdFrom(sent);
    session = opened;
    const end = new AbortController();
    renewing = { end, done: renew(opened, end) };
  }

  /** Renews the session until the signal aborts, or another node has ended it. Never throws. */
  async function renew(own: number, end: AbortController): Promise<void> {
    const everyMs = leaseMs / renewals;
    const onError = (error: unknown) =>
      logger.warn({ err: error }, "cannot renew the hold on subscriptions; trying again");
    await repeat(
      async (signal) => {
        const sent = now();
        if (await lanes.run("append", (store) => store.renewSession(own, leaseMs))) {
          holdFrom(sent);
          await lanes.run("live", (store) => store.endExpiredSessions(), signal);
          return;
        }
        end.abort();
        logger.warn(
          { session: own },
          "others ended this node's hold on its subscriptions: it did not answer for too long",
        );
        if (session === own) session = 0;
        parts.onLost();
      },
      { everyMs, firstMs: everyMs, timers: clock, onError },
      end.signal,
    );
  }

  async function close(): Promise<void> {
    renewing?.end.abort();
    await renewing?.done;
    renewing = undefined;
    const own = session;
    session = 0;
    if (own === 0) return;
    // Where the database is away, the session ends when its lease is over.
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
