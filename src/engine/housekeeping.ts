/**
 * What the node does for its tables, in small steps behind everybody else: rows below a trim and of deleted topics go,
 * idle producers, old tombstones are forgotten, and what expired in a state as they are, space is reclaimed, and the database's clock is asked.
 */

import type { Limits } from "../core/index.js";
import { Watch } from "../streams/index.js";
import type { Clock, Logger } from "../telemetry/index.js";
import type { DatabaseLanes } from "./database-lanes.js";
import type { HeldSnapshots } from "./held-snapshots.js";
import type { StampClock } from "./stamp-clock.js";

const roundMs = 30_000;
/** Rows that one statement deletes: a few milliseconds, so that nobody waits long behind it. */
const rowsPerStep = 2000;
const topicsPerRound = 1000;
/** Fewer: their topic's appends wait for it. */
const tombstonesPerStep = 500;

export interface HousekeepingParts {
  readonly lanes: DatabaseLanes;
  readonly limits: Limits;
  readonly stampClock: StampClock;
  readonly heldSnapshots: HeldSnapshots;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Housekeeping {
  /** There is something to delete: begin a round now. */
  wake(): void;
  /** Runs until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void>;
}

export function createHousekeeping(parts: HousekeepingParts): Housekeeping {
  const { lanes, limits } = parts;
  const { producerIdleMs: idleMs, producersPerTopic: perTopic } = limits;
  const woken = new Watch(0);

  async function round(signal: AbortSignal): Promise<void> {
    parts.stampClock.anchor(await lanes.run("history", (store) => store.now(), signal));
    for (const topicId of await lanes.run("history", (store) => store.findTrimmed(topicsPerRound), signal)) {
      await repeat((count) => lanes.run("history", (store) => store.deleteTrimmed({ topicId, count }), signal), signal);
    }
    await repeat((count) => lanes.run("history", (store) => store.deleteOrphans(count), signal), signal);
    await repeat(
      (count) => lanes.run("history", (store) => store.deleteIdleProducers({ idleMs, perTopic, count }), signal),
      signal,
    );
    await purgeTombstones(signal);
    await parts.heldSnapshots.look(signal);
    const reclaimed = await lanes.run("history", (store) => store.reclaimSpace(), signal);
    if (reclaimed.length > 0) parts.logger.debug({ tables: reclaimed }, "reclaimed space");
  }

  /** The oldest of all topics first, until none is too old, or somebody else is at the rest. */
  async function purgeTombstones(signal: AbortSignal): Promise<void> {
    const beforeMicros = parts.stampClock.now() - limits.tombstoneLifetimeMs * 1000;
    for (let purged = 1; purged > 0 && !signal.aborted; ) {
      purged = 0;
      const found = await lanes.run("history", (store) => store.findOldTombstones(beforeMicros, rowsPerStep), signal);
      for (const old of found) {
        purged += await lanes.run("history", (store) => store.purgeTombstones(old, tombstonesPerStep), signal);
      }
    }
  }

  return {
    wake: () => woken.set(woken.value + 1),
    async run(signal) {
      while (!signal.aborted) {
        const version = woken.version;
        try {
          await round(signal);
        } catch (error) {
          if (!signal.aborted) parts.logger.warn({ err: error }, "housekeeping failed; trying again");
        }
        await woken.changed(version, { signal, timeoutMs: roundMs, timers: parts.clock }).catch(() => undefined);
      }
    },
  };
}

/** Deletes until a step finds less than it may take. */
async function repeat(step: (count: number) => Promise<number>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await step(rowsPerStep)) >= rowsPerStep);
}
