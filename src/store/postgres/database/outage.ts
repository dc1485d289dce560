/**
 * What the log says while the database is unreachable: one line when it fails, with the cause; a line every few seconds
 * while it stays unreachable; and one when it is back. Further failures are only counted.
 */

import type { Clock, Logger } from "../../../telemetry/index.js";

/** Between two lines of one outage. */
const reminderMs = 10_000;
/** The database is back after this time with successes and no failure: reads may work while the disk is full. */
const quietMs = 3000;
/** Single broken connections, while others work, make up to one line in this time. */
const brokenMs = 1000;

export interface Outage {
  /** A statement or a connect failed because the database is unreachable or refuses to work. */
  failed(cause: OutageCause): void;
  /** A connection broke. That alone says little: the database may have ended just this one. */
  broke(cause: OutageCause): void;
  /** A statement succeeded. */
  worked(): void;
}

export interface OutageCause {
  readonly sqlState: string | undefined;
  readonly text: string;
}

export function createOutage(logger: Logger, clock: Pick<Clock, "monotonicMs">): Outage {
  let sinceMs: number | undefined;
  let failedAtMs = 0;
  /** The first success since the last failure. */
  let workedAtMs: number | undefined;
  let failures = 0;
  let remindedAtMs = 0;
  let brokenAtMs = Number.NEGATIVE_INFINITY;
  let broken = 0;

  const factsOf = ({ sqlState, text }: OutageCause) => ({
    ...(sqlState !== undefined && { sqlstate: sqlState }),
    cause: text,
  });

  function failed(cause: OutageCause): void {
    const nowMs = clock.monotonicMs();
    failedAtMs = nowMs;
    workedAtMs = undefined;
    failures += 1;
    if (sinceMs === undefined) {
      sinceMs = nowMs;
      remindedAtMs = nowMs;
      logger.error(
        factsOf(cause),
        cause.sqlState === undefined ? "The database is away" : "The database refuses its work",
      );
    } else if (nowMs - remindedAtMs >= reminderMs) {
      remindedAtMs = nowMs;
      const seconds = Math.round((nowMs - sinceMs) / 1000);
      logger.warn({ seconds, failures, ...factsOf(cause) }, "The database is still not there");
    }
  }

  return {
    failed,
    broke(cause) {
      if (sinceMs !== undefined) return failed(cause);
      const nowMs = clock.monotonicMs();
      broken += 1;
      if (nowMs - brokenAtMs < brokenMs) return;
      brokenAtMs = nowMs;
      logger.warn({ connections: broken, ...factsOf(cause) }, "Lost a database connection");
      broken = 0;
    },
    worked() {
      if (sinceMs === undefined) return;
      const nowMs = clock.monotonicMs();
      workedAtMs ??= nowMs;
      if (nowMs - failedAtMs < quietMs) return;
      logger.info({ seconds: Math.round((workedAtMs - sinceMs) / 100) / 10, failures }, "The database is back");
      sinceMs = undefined;
      failures = 0;
    },
  };
}
