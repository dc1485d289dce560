/**
 * Maintains the tables in small steps in the background. It deletes blocks below a trim and rows of deleted topics,
 * forgets idle producers, purges old tombstones and expired state, vacuums hot tables, and asks for the database's
 * time.
 */

import type { Limits } from "../../core/index.js";
import { repeat, Watch } from "../../streams/index.js";
import type { Clock, Logger } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { HeldSnapshots } from "./held-snapshots.js";
import type { StampClock } from "../topics/stamp-clock.js";

const roundMs = 30_000;
/** Rows that one statement deletes: a few milliseconds, so that nobody waits long behind it. */
const rowsPerStep = 2000;
const topicsPerRound = 1000;
/** Fewer, since appends to their topic wait for it. */
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
  /** There is something to delete: the next round begins now. */
  wake(): void;
  /** Runs until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void>;
}

export function createHousekeeping(parts: HousekeepingParts): Housekeeping {
  const { lanes, limits } = parts;
  const woken = new Watch(0);

  async function round(signal: AbortSignal): Promise<void> {
    parts.stampClock.anchor(await lanes.run("history", (store) => store.now(), signal));
    for (const topicId of await lanes.run("history", (store) => store.findTrimmed(topicsPerRound), signal)) {
      await deleteAll((count) => lanes.run("history", (store) => store.deleteTrimmed(topicId, count), signal), signal);
    }
    await deleteAll((count) => lanes.run("history", (store) => store.deleteOrphans(count), signal), signal);
    await deleteAll(
      (count) =>
        lanes.run(
          "history",
          (store) => store.deleteIdleProducers(limits.producerIdleMs, limits.producersPerTopic, count),
          signal,
        ),
      signal,
    );
    await purgeTombstones(signal);
    await parts.heldSnapshots.look(signal);
    const vacuumed = await lanes.run("history", (store) => store.vacuum(), signal);
    if (vacuumed.length > 0) parts.logger.debug({ tables: vacuumed }, "vacuumed");
  }

  /** Purges the oldest tombstones of all topics, until none is too old, or another node works on the rest. */
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
    run(signal) {
      const onError = (error: unknown) => parts.logger.warn({ err: error }, "housekeeping failed; trying again");
      return repeat(round, { everyMs: roundMs, woken, timers: parts.clock, onError }, signal);
    },
  };
}

/** Deletes until a step finds fewer rows than it may take. */
async function deleteAll(step: (count: number) => Promise<number>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await step(rowsPerStep)) >= rowsPerStep);
}
