import type { RangeSet } from "../../core/index.js";
import type { ReceivedRecord } from "../../wire/index.js";
import { type DeliveryCall, Held, type RejectOptions } from "./held.js";
import type { CommittedOutput, Output } from "./output.js";

/**
 * A record to work on. The first verdict counts. All verdicts of one turn of the event loop are sent in one message, and
 * their promises resolve when the server has confirmed them; nobody has to wait for them, and they never reject. "stale"
 * means that the record was not this consumer's any more: it is redelivered to some consumer, unless it was settled.
 */
export interface Delivery {
  readonly record: ReceivedRecord;
  /** The record's offset. */
  readonly offset: number;
  /** Which attempt at it this is, from 1. */
  readonly attempt: number;
  /** Aborts when the hold is over before a verdict: the deadline has passed, the call was lost, or somebody took over. */
  readonly signal: AbortSignal;
  /** It is done, and is never redelivered. */
  acknowledge(): Promise<"acknowledged" | "stale">;
  /** It failed: it is redelivered later, or parked after the last attempt. */
  reject(options?: RejectOptions): Promise<"rejected" | "stale">;
  /** It is set aside with this reason, without another attempt. */
  park(reason?: string): Promise<"parked" | "stale">;
  /** It was not worked on: another consumer gets it at once, with the same attempt. */
  release(): Promise<"released" | "stale">;
  /** It takes longer: `ms` milliseconds from now, a second to twelve hours. Default: the subscription's deadline. */
  extend(ms?: number): void;
  /**
   * Acknowledges it and appends, in one transaction. Throws a FailedPreconditionError (STALE_DELIVERY) when it is not this
   * consumer's any more. When the outcome is unknown (UnavailableError), throw that error on: what was committed is not
   * redelivered, and what was not, is. After it succeeded there is nothing more to say.
   */
  commit(append: readonly Output[]): Promise<readonly CommittedOutput[]>;
}

/** The records of one message, in hand together: a verdict is on all of them. See Delivery. */
export interface DeliveryBatch {
  /** At least one. */
  readonly records: readonly ReceivedRecord[];
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** "stale": at least one of them was not this consumer's any more. */
  acknowledge(): Promise<"acknowledged" | "stale">;
  reject(options?: RejectOptions): Promise<"rejected" | "stale">;
  park(reason?: string): Promise<"parked" | "stale">;
  release(): Promise<"released" | "stale">;
  extend(ms?: number): void;
  commit(append: readonly Output[]): Promise<readonly CommittedOutput[]>;
}

export class HeldRecord extends Held implements Delivery {
  readonly record: ReceivedRecord;

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

/** Adds the offsets of records to a set, a run of them at a time. */
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
