/**
 * Finds who holds an old snapshot in the database: a dump, or a forgotten transaction. Deleted and updated rows pile up
 * behind it and slow everything down, so the operator gets its name.
 */

import type { HeldSnapshot } from "../../store/index.js";
import type { Logger, Metrics } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";

/** An older snapshot is worth a warning: a page read takes milliseconds, a round of housekeeping seconds. */
const oldFromSeconds = 60;

export interface HeldSnapshots {
  /** Runs in each round of housekeeping. */
  look(signal: AbortSignal): Promise<void>;
}

export function createHeldSnapshots(parts: {
  readonly lanes: DatabaseLanes;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Default 60. */
  readonly oldSeconds?: number;
}): HeldSnapshots {
  const { lanes, metrics, logger, oldSeconds = oldFromSeconds } = parts;
  let oldest: HeldSnapshot | undefined;
  let warned: HeldSnapshot | undefined;
  metrics.gauge(
    "oldest_snapshot_seconds",
    "For how long a session holds the oldest snapshot of the database; 0: nobody holds one",
    () => oldest?.seconds ?? 0,
  );
  return {
    async look(signal) {
      oldest = await lanes.run("history", (store) => store.findOldestSnapshot(), signal);
      if (oldest === undefined || oldest.seconds < oldSeconds) {
        if (warned !== undefined) logger.info({ pid: warned.pid }, "The old snapshot in the database is gone");
        warned = undefined;
        return;
      }
      if (warned?.pid === oldest.pid && warned?.name === oldest.name) return;
      warned = oldest;
      const { pid, name, role, seconds } = oldest;
      logger.warn(
        { pid, application_name: name, role, held_seconds: Math.round(seconds) },
        "A session holds an old snapshot in the database: nothing can be vacuumed behind it, and disk and latency grow. End its transaction",
      );
    },
  };
}
