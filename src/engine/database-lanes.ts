/**
 * Three bounded lanes before the store's pool. Appends come first, then pages for live followers and small control
 * statements, then history. Readers together never take every connection, so an append does not wait behind them. The
 * embedded database has a single connection: there the order of the lanes has the same effect.
 */

import { type ErrorCode, type Limits, MillraceError } from "../core/index.js";
import { type Store, StoreUnavailableError } from "../store/index.js";
import { LaneFullError, Lanes } from "../streams/index.js";
import type { Metrics } from "../telemetry/index.js";

export type LaneName = "append" | "live" | "history";

/** Retry delay that callers get when only time helps. */
const retryDelayMs = 1000;

/** The order in which they are listed. */
const laneNames = ["append", "history", "live"] as const satisfies readonly LaneName[];

export interface DatabaseLanes {
  /** The kind of database behind the lanes. */
  readonly kind: Store["kind"];
  /**
   * Runs one statement or transaction in a lane. An abort removes a waiting statement from the queue. A statement that
   * was already sent runs on, up to its time limit (invariant 9). Throws `lane-full`. A StoreUnavailableError passes
   * through unchanged, since some callers must know whether the outcome is unknown.
   */
  attempt<T>(lane: LaneName, statement: (store: Store) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** How many statements wait in each lane, and how many may. */
  waiting(): readonly { readonly name: LaneName; readonly depth: number; readonly capacity: number }[];
  /** As `attempt`, but an unavailable database becomes `database-unavailable`. */
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
    kind: store.kind,
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

/** The error of a call that finds its lane's queue full. */
export function laneFull(lane: LaneName, capacity: number, cause?: unknown): MillraceError {
  return new MillraceError(
    "lane-full",
    `Too many calls wait for the database: at most ${capacity} in the ${lane} lane (MILLRACE_LANE_QUEUE)`,
    { retryDelayMs, cause },
  );
}

/**
 * Turns a StoreUnavailableError into the error that callers get; any other error is returned unchanged. `advice` is
 * added when the outcome is unknown.
 */
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
