/**
 * How many records a node keeps track of for consumers: outstanding ones, and those that wait to be redelivered. Clients
 * choose their windows, so all of them share one bound (invariant 6).
 *
 *   plenty ──more than half of the budget is used──▶ short ──less than a quarter is used──▶ plenty
 *
 * In plenty every consumer is granted the window that it asks for. While it is short, large windows are cut to a common
 * level, such that all windows together fit the budget; small ones stay as they are. Nothing is taken back: what is
 * outstanding beyond a smaller window is settled by and by. Where the budget is used up all the same, each consumer may
 * still have a few records, so that none stands still because of others.
 */

import type { Limits, Window } from "../../../core/index.js";

/** What a consumer may have whatever others have: less than its call takes in memory. */
const guaranteedRecords = 16;
const shortAbove = 0.5;
const plentyBelow = 0.25;

/** A consumer, as far as its window is concerned. */
export interface WindowHolder {
  readonly askedWindow: Window;
  /** What of it is granted. */
  window: Window;
  readonly held: { readonly records: number };
  /** Changes what is granted, and tells it where that is news, or the answer to what was asked for. */
  grant(records: number, isAnswer: boolean): void;
}

export interface OutstandingBudget {
  /** How many records it keeps track of. */
  readonly records: number;
  /** Adds to the number of records; a negative number takes away. */
  count(records: number): void;
  /** How many more records a consumer may be handed, as far as the node is concerned. */
  roomFor(consumer: WindowHolder): number;
  /** Takes a consumer in, and grants it a window. */
  join(consumer: WindowHolder): void;
  /** A consumer asks for another window. */
  ask(consumer: WindowHolder): void;
  leave(consumer: WindowHolder): void;
}

export function createOutstandingBudget({
  outstandingNodeRecords: recordsMax,
}: Pick<Limits, "outstandingNodeRecords">): OutstandingBudget {
  const consumers = new Set<WindowHolder>();
  let records = 0;
  let state: "plenty" | "short" = "plenty";
  /** What a window may have. */
  let level = Number.POSITIVE_INFINITY;
  let isLevelling = false;

  const grantOf = ({ askedWindow }: WindowHolder): number => Math.min(askedWindow.records, level);

  function grantAll(): void {
    level = state === "plenty" ? Number.POSITIVE_INFINITY : levelOf(consumers, recordsMax);
    for (const consumer of consumers) consumer.grant(grantOf(consumer), false);
  }

  /** Once for all that come and go in a turn of the event loop. */
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

/** The largest level to which windows may go so that all of them fit. */
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
