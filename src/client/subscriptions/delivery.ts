import type { ReceivedRecord } from "../../wire/index.js";
import { type DeliveryCall, Held, type RejectOptions } from "./held.js";
import type { CommittedOutput, Output } from "./output.js";

/**
 * A record to work on. The first verdict counts. What is said in one turn of the event loop travels in one message, and
 * its promises resolve when the server has confirmed it; nobody has to wait for them, and they never reject. "stale" says
 * that the record was not this consumer's any more: it comes again, to somebody, unless it had been settled.
 */
export interface Delivery {
  readonly record: ReceivedRecord;
  /** The record's offset. */
  readonly offset: number;
  /** Which attempt at it this is, from 1. */
  readonly attempt: number;
  /** Aborts when the hold is over before a verdict: the deadline has passed, the call was lost, or somebody took over. */
  readonly signal: AbortSignal;
  /** It is done, and never comes again. */
  acknowledge(): Promise<"acknowledged" | "stale">;
  /** It failed: it comes again later, or is parked after the last attempt. */
  reject(options?: RejectOptions): Promise<"rejected" | "stale">;
  /** It is set aside with this reason, without another attempt. */
  park(reason?: string): Promise<"parked" | "stale">;
  /** It was not worked on: it goes to somebody else at once, and that is no failure. */
  release(): Promise<"released" | "stale">;
  /** It takes longer: so many milliseconds from now, a second to twelve hours. Default: the subscription's deadline. */
  extend(ms?: number): void;
  /**
   * Acknowledges it and appends, in one transaction. Throws a FailedPreconditionError (STALE_DELIVERY) when it is not this
   * consumer's any more. When the outcome is unknown (UnavailableError), throw that on: what was committed does not come
   * again, and what was not, does.
   */
  commit(append: readonly Output[]): Promise<readonly CommittedOutput[]>;
}

/** The records of one message, in hand together: what is said is said of all of them. See Delivery. */
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

  constructor(call: DeliveryCall, record: ReceivedRecord, attempt: number, deadlineAt: number) {
    super(call, attempt, deadlineAt);
    this.record = record;
  }

  get offset(): number {
    return this.record.offset;
  }

  override get count(): number {
    return 1;
  }

  override eachRun(visit: (firstOffset: number, nextOffset: number) => void): void {
    const { offset } = this.record;
    visit(offset, offset + 1);
  }
}

export class HeldBatch extends Held implements DeliveryBatch {
  readonly records: readonly ReceivedRecord[];

  constructor(call: DeliveryCall, records: readonly ReceivedRecord[], attempt: number, deadlineAt: number) {
    super(call, attempt, deadlineAt);
    this.records = records;
  }

  override get count(): number {
    return this.records.length;
  }

  override eachRun(visit: (firstOffset: number, nextOffset: number) => void): void {
    eachRun(this.records, visit);
  }
}

/** The offsets of records as runs, in the order of the records. */
export function eachRun(
  records: readonly { readonly offset: number }[],
  visit: (firstOffset: number, nextOffset: number) => void,
): void {
  let first = -1;
  let next = -1;
  for (const { offset } of records) {
    if (offset === next) {
      next += 1;
      continue;
    }
    if (first !== -1) visit(first, next);
    first = offset;
    next = offset + 1;
  }
  if (first !== -1) visit(first, next);
}
