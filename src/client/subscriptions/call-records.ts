import { RangeSet } from "../../core/index.js";
import type { ReceivedRecord } from "../../wire/index.js";
import { Arrivals } from "./arrivals.js";
import { HeldBatch, HeldRecord } from "./delivery.js";
import type { DeliveryCall, Held } from "./held.js";
import { isMeant, type StaleDeliveries } from "./stale-deliveries.js";

/**
 * The unsettled records of one Consume call: those that no work has begun on, and those in hand.
 */
export class CallRecords {
  readonly arrivals = new Arrivals();
  readonly inHand = new Set<Held>();
  readonly #call: DeliveryCall;
  /** The highest offset that has arrived. A record above it is not a redelivery. */
  #highest = -1;
  #inHandCount = 0;

  constructor(call: DeliveryCall) {
    this.#call = call;
  }

  /** How many records. */
  get outstanding(): number {
    return this.arrivals.count + this.#inHandCount;
  }

  /** Hands out the next record. */
  takeRecord(ackDeadlineMs: number): HeldRecord | undefined {
    const from = this.arrivals.oldest;
    if (from === undefined) return undefined;
    const record = this.arrivals.takeOne() as ReceivedRecord;
    return this.#hand(new HeldRecord(this.#call, record, from.attempt, from.heldSinceMs + ackDeadlineMs));
  }

  /** Hands out what is left of the oldest message. */
  takeBatch(ackDeadlineMs: number): HeldBatch | undefined {
    const from = this.arrivals.takeMessage();
    if (from === undefined) return undefined;
    return this.#hand(new HeldBatch(this.#call, from.records, from.attempt, from.heldSinceMs + ackDeadlineMs));
  }

  /** Removes a settled or lost delivery. False: it was not in hand. */
  leave(held: Held): boolean {
    if (!this.inHand.delete(held)) return false;
    this.#inHandCount -= held.count;
    return true;
  }

  /**
   * Finds the records that were delivered before: they were released, or their deadline passed earlier at the server.
   * Their earlier deliveries are lost.
   */
  takeBack(records: readonly ReceivedRecord[]): RangeSet | undefined {
    const before = this.#highest;
    let redelivered: RangeSet | undefined;
    for (const { offset } of records) {
      if (offset > this.#highest) this.#highest = offset;
      if (offset > before) continue;
      (redelivered ??= new RangeSet()).add(offset, offset + 1);
    }
    if (redelivered !== undefined) this.lose({ offsets: redelivered, attempt: 0 });
    return redelivered;
  }

  /** This consumer no longer has these records. */
  lose({ offsets, attempt }: StaleDeliveries): void {
    if (this.outstanding === 0) return;
    for (const held of this.inHand) if (isMeant(held.attempt, attempt) && held.isIn(offsets)) held.lose();
    this.arrivals.drop(offsets, attempt);
  }

  /** The call is over: all records are lost. */
  loseAll(): void {
    this.arrivals.clear();
    for (const held of this.inHand) held.lose();
  }

  #hand<Item extends Held>(held: Item): Item {
    this.inHand.add(held);
    this.#inHandCount += held.count;
    return held;
  }
}
