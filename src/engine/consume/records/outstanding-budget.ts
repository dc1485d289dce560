/**
 * How many records a node keeps track of for consumers: those that are outstanding, and those that wait for redelivery.
 * Clients choose their windows, so all of them share one bound (invariant 6).
 *
 *   plenty ──more than half of the budget is used──▶ short ──less than a quarter is used──▶ plenty
 *
 * In plenty, each consumer is granted the window that it asks for. While the budget is short, large windows are cut to a
 * common level, so that all windows together fit the budget; small windows stay as they are. No record is taken back: a
 * consumer settles what it has beyond a smaller window in its own time. Where the budget is used up all the same, each
 * consumer may still have a few records, so that none stands still because of others.
 */

import type { Limits, Window } from "../../../core/index.js";

/** How many records a consumer may have whatever others have. They take less memory than its call does. */
const guaranteedRecords = 16;
/** Parts of the budget, between which its state stays as it is. */
const shortAbove = 0.5;
const plentyBelow = 0.25;

/** A consumer, as the budget sees it. */
export interface WindowHolder {
  readonly askedWindow: Window;
  /** What is granted of it. */
  window: Window;
  readonly held: { readonly records: number };
  /** Changes the granted window, and tells the consumer where it differs, or where it answers a request (`isAnswer`). */
  grant(records: number, isAnswer: boolean): void;
}

export interface OutstandingBudget {
  /** How many records are counted. */
  readonly records: number;
  /** Adds to the number of records; a negative number takes away. */
  count(records: number): void;
  /** How many more records the node allows a consumer. */
  roomFor(consumer: WindowHolder): number;
  /** Grants a new consumer a window. */
  join(consumer: WindowHolder): void;
  /** Answers a consumer that asks for another window. */
  ask(consumer: WindowHolder): void;
  leave(consumer: WindowHolder): void;
}

export function createOutstandingBudget({
  outstandingNodeRecords: recordsMax,
}: Pick<Limits, "outstandingNodeRecords">): OutstandingBudget {
  const consumers = new Set<WindowHolder>();
  let records = 0;
  let state: "plenty" | "short" = "plenty";
  /** The largest window that is granted, in records. */
  let level = Number.POSITIVE_INFINITY;
  let isLevelling = false;

  const grantOf = ({ askedWindow }: WindowHolder): number => Math.min(askedWindow.records, level);

  function grantAll(): void {
    level = state === "plenty" ? Number.POSITIVE_INFINITY : levelOf(consumers, recordsMax);
    for (const consumer of consumers) consumer.grant(grantOf(consumer), false);
  }

  /** Levels once for all consumers that come and go in a turn of the event loop. */
  function levelSoon(): void {
    if (state === "plenty" || isLevelling) return;
    isLevelling = true;
    setImmediate(() => {
      isLevelling = false;
      grantAll();
    });
  }

  return {
    get records() {
      return records;
    },
    count(more) {
      records += more;
      if (state === "plenty" ? records <= recordsMax * shortAbove : records >= recordsMax * plentyBelow) return;
      state = state === "plenty" ? "short" : "plenty";
      setImmediate(grantAll);
    },
    roomFor: (consumer) => Math.max(0, recordsMax - records, guaranteedRecords - consumer.held.records),
    join(consumer) {
      consumers.add(consumer);
      consumer.window = { ...consumer.askedWindow, records: grantOf(consumer) };
      levelSoon();
    },
    ask(consumer) {
      consumer.grant(grantOf(consumer), true);
      levelSoon();
    },
    leave(consumer) {
      if (consumers.delete(consumer)) levelSoon();
    },
  };
}

/** The highest level at which all windows together fit; Infinity: they fit uncut. */
function levelOf(consumers: ReadonlySet<WindowHolder>, recordsMax: number): number {
  const asked = [...consumers].map(({ askedWindow }) => askedWindow.records).sort((one, other) => one - other);
  let left = recordsMax;
  for (const [index, records] of asked.entries()) {
    const share = Math.floor(left / (asked.length - index));
    if (records > share) return Math.max(guaranteedRecords, share);
    left -= records;
  }
  return Number.POSITIVE_INFINITY;
}
