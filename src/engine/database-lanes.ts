/**
 * The way to the store: three bounded lanes before its pool. Appends first, then pages for live followers (and the small
 * statements of control), then history. Readers together never take every connection, so that an append does not queue
 * behind them; on the embedded database's single connection the order alone does it.
 */

import { type ErrorCode, type Limits, MillraceError } from "../core/index.js";
import { type Store, StoreUnavailableError } from "../store/index.js";
import { LaneFullError, Lanes } from "../streams/index.js";
import type { Metrics } from "../telemetry/index.js";

export type LaneName = "append" | "live" | "history";

/** How long a caller is told to wait before it tries again, where only time helps. */
const retryDelayMs = 1000;

/** In the order of their listing. */
const laneNames = ["append", "history", "live"] as const satisfies readonly LaneName[];

export interface DatabaseLanes {
  /** As the store's. */
  readonly searchBytes: number;
  /**
   * Runs one statement (or transaction) in a lane. An abort leaves the queue, or leaves a statement that was sent to its
   * time limit (invariant 9). Throws `lane-full`, and StoreUnavailableError as it comes, for those that must know
   * whether the outcome is unknown.
   */
  attempt<T>(lane: LaneName, statement: (store: Store) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** How many statements wait in each, and may. */
  waiting(): readonly { readonly name: LaneName; readonly depth: number; readonly capacity: number }[];
  /** As `attempt`, with a database that is away as `database-unavailable`. */
  run<T>(lane: LaneName, statement: (store: Store) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function createDatabaseLanes(store: Store, limits: Limits, metrics: Metrics): DatabaseLanes {
  const share = (part: number): number => Math.max(1, Math.floor(store.connections * part));
  const queue = limits.laneQueue;
  const lanes = new Lanes<LaneName>({
    total: store.connections,
    lanes: [
      { name: "append", limit: store.connections, queue },
      { name: "live", limit: share(0.4), queue },
      { name: "history", limit: share(0.3), queue },
    ],
  });
  for (const name of laneNames) {
    metrics.gauge(`lane_${name}_waiting`, `Statements that wait in the ${name} lane`, () => lanes.waiting(name));
    metrics.gauge(`lane_${name}_active`, `Statements that run in the ${name} lane`, () => lanes.active(name));
  }

  async function attempt<T>(lane: LaneName, statement: (store: Store) => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await lanes.run(lane, () => statement(store), signal);
    } catch (error) {
      if (error instanceof LaneFullError) {
        throw laneFull(lane, queue, error);
      }
      throw error;
    }
  }

  return {
    searchBytes: store.searchBytes,
    waiting: () => laneNames.map((name) => ({ name, depth: lanes.waiting(name), capacity: queue })),
    attempt,
    async run(lane, statement, signal) {
      try {
        return await attempt(lane, statement, signal);
      } catch (error) {
        throw asUnavailable(error);
      }
    },
  };
}

/** The error of a call that finds the lane's queue full. */
export function laneFull(lane: LaneName, most: number, cause?: unknown): MillraceError {
  return new MillraceError(
    "lane-full",
    `Too many calls wait for the database: at most ${most} in the ${lane} lane (MILLRACE_LANE_QUEUE)`,
    { retryDelayMs, cause },
  );
}

/** A database that is away, as callers are told; everything else as it is. `advice` is for when the outcome is unknown. */
export function asUnavailable(error: unknown, advice = "Ask again, or look whether it was done"): unknown {
  if (!(error instanceof StoreUnavailableError)) return error;
  const code: ErrorCode = "database-unavailable";
  const text = error.outcomeUnknown ? `The database did not answer: the outcome is unknown. ${advice}` : error.why;
  return new MillraceError(code, text, {
    retryDelayMs,
    cause: error,
    metadata: { outcome: error.outcomeUnknown ? "unknown" : "not-applied" },
  });
}
