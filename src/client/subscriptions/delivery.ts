import type { RangeSet } from "../../core/index.js";
import type { ReceivedRecord } from "../../wire/index.js";
import { type DeliveryCall, Held, type RejectOptions } from "./held.js";
import type { CommittedOutput, Output } from "./output.js";

/**
 * A record to work on. The first verdict counts. All verdicts of one turn of the event loop are sent in one message.
 * Their promises resolve when the server has confirmed them; they need not be awaited, and never reject. "stale" means
 * that this consumer no longer had the record: it is redelivered to some consumer, unless it was settled.
 */
export interface Delivery {
  readonly record: ReceivedRecord;
  /** The record's offset. */
  readonly offset: number;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /** Aborts when this consumer loses the record before a verdict: by its deadline, a lost call, or a redelivery. */
  readonly signal: AbortSignal;
  /** Done: the record is never redelivered. */
  acknowledge(): Promise<"acknowledged" | "stale">;
  /** Failed: the record is redelivered later, or parked after the last attempt. */
  reject(options?: RejectOptions): Promise<"rejected" | "stale">;
  /** Sets the record aside with this reason, without another attempt. */
  park(reason?: string): Promise<"parked" | "stale">;
  /** Not worked on: another consumer receives the record at once, with the same attempt. */
  release(): Promise<"released" | "stale">;
  /**
   * Sets the deadline to `ms` milliseconds from now, a second to twelve hours. Default: the subscription's deadline.
   */
  extend(ms?: number): void;
  /**
   * Acknowledges the record and appends, in one transaction; no verdict is needed afterwards. Throws a
   * FailedPreconditionError (STALE_DELIVERY) when this consumer has lost the record. When the outcome is unknown
   * (UnavailableError), rethrow the error: the record is redelivered only if nothing was committed.
   */
  commit(append: readonly Output[]): Promise<readonly CommittedOutput[]>;
}

/** The records of one message, in hand together. A verdict is on all of them. See Delivery. */
export interface DeliveryBatch {
  /** At least one. */
  readonly records: readonly ReceivedRecord[];
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** "stale": this consumer no longer had at least one of them. */
  acknowledge(): Promise<"acknowledged" | "stale">;
  reject(options?: RejectOptions): Promise<"rejected" | "stale">;
  park(reason?: string): Promise<"parked" | "stale">;
  release(): Promise<"released" | "stale">;
  extend(ms?: number): void;
  commit(append: readonly Output[]): Promise<readonly CommittedOutput[]>;
}

export class HeldRecord extends Held implements Delivery {
  readonly record: ReceivedRecord;

  /** Positional parameters: called once a record. */
  constructor(call: DeliveryCall, record: ReceivedRecord, attempt: number, deadlineMs: number) {
    super(call, attempt, deadlineMs);
    this.record = record;
  }

  get offset(): number {
    return this.record.offset;
  }

  override get count(): number {
    return 1;
  }

  override addTo(offsets: RangeSet): void {
    const { offset } = this.record;
    offsets.add(offset, offset + 1);
  }

  override isIn(offsets: RangeSet): boolean {
    return offsets.has(this.record.offset);
  }
}

export class HeldBatch extends Held implements DeliveryBatch {
  readonly records: readonly ReceivedRecord[];

  /** Positional parameters: called once a message, as that of HeldRecord. */
  constructor(call: DeliveryCall, records: readonly ReceivedRecord[], attempt: number, deadlineMs: number) {
    super(call, attempt, deadlineMs);
    this.records = records;
  }

  override get count(): number {
    return this.records.length;
  }

  override addTo(offsets: RangeSet): void {
    addOffsets(this.records, offsets);
  }

  override isIn(offsets: RangeSet): boolean {
    return this.records.some(({ offset }) => offsets.has(offset));
  }
}

/** Adds the offsets of records to a set, one run of adjacent offsets at a time. */
export function addOffsets(records: readonly { readonly offset: number }[], to: RangeSet): void {
  let first = -1;
  let next = -1;
  for (const { offset } of records) {
    if (offset === next) {
      next += 1;
      continue;
    }
    if (first !== -1) to.add(first, next);
    first = offset;
    next = offset + 1;
  }
  if (first !== -1) to.add(first, next);
}
