import { RangeSet } from "../../core/index.js";
import type { ConsumeResponse_Confirmed as Confirmed } from "../../gen/millrace/v1/subscription_service.js";
import type { ReceivedRecord } from "../../wire/index.js";
import { Arrivals } from "./arrivals.js";
import { HeldBatch, HeldRecord } from "./delivery.js";
import type { DeliveryCall, Held } from "./held.js";
import { toRange } from "./offset-range.js";

/**
 * The records that one Consume call delivered and that are not settled: those that nobody has begun to work on, and those
 * in hand.
 *
 * A record may be redelivered to the same consumer while something that was said of the delivery before is unanswered. As
 * an answer names no attempt, nobody may begin on such a record until that answer has arrived: it is doubtful.
 */
export class SessionRecords {
  readonly arrivals = new Arrivals();
  readonly inHand = new Set<Held>();
  readonly #call: DeliveryCall;
  readonly #doubtful = new RangeSet();
  /** The highest offset that arrived: what is above it was never delivered before. */
  #highest = -1;
  #inHandCount = 0;

  constructor(call: DeliveryCall) {
    this.#call = call;
  }

  /** How many. */
  get outstanding(): number {
    return this.arrivals.count + this.#inHandCount;
  }

  /** Hands out the next record. */
  takeRecord(ackDeadlineMs: number): HeldRecord | undefined {
    const from = this.arrivals.oldest;
    if (from === undefined || this.#isDoubtful(from.records[from.at])) return undefined;
    const record = this.arrivals.takeOne() as ReceivedRecord;
    return this.#hand(new HeldRecord(this.#call, record, from.attempt, from.heldSinceMs + ackDeadlineMs));
  }

  /** Hands out what is left of the oldest message. */
  takeBatch(ackDeadlineMs: number): HeldBatch | undefined {
    const isDoubtful = (record: ReceivedRecord): boolean => this.#isDoubtful(record);
    if (!this.#doubtful.isEmpty && this.arrivals.oldest?.records.some(isDoubtful) === true) return undefined;
    const from = this.arrivals.takeMessage();
    if (from === undefined) return undefined;
    return this.#hand(new HeldBatch(this.#call, from.records, from.attempt, from.heldSinceMs + ackDeadlineMs));
  }

  /** It is settled, or lost. False: it was not in hand. */
  leave(held: Held): boolean {
    if (!this.inHand.delete(held)) return false;
    this.#inHandCount -= held.count;
    return true;
  }

  /**
   * Which of these were delivered before: the server's deadline passed before this side's, or they were released. What is
   * left of the delivery before is lost. `isUnanswered`: whether an answer about it is still due.
   */
  takeBack(records: readonly ReceivedRecord[], isUnanswered: (offset: number) => boolean): RangeSet | undefined {
    const before = this.#highest;
    let redelivered: RangeSet | undefined;
    for (const { offset } of records) {
      if (offset > this.#highest) this.#highest = offset;
      if (offset > before) continue;
      (redelivered ??= new RangeSet()).add(offset, offset + 1);
      if (isUnanswered(offset)) this.#doubtful.add(offset, offset + 1);
    }
    if (redelivered !== undefined) this.#lose(redelivered);
    return redelivered;
  }

  /** Takes in the server's answers. True: there may be something to hand out that was doubtful. */
  answered({ stale, ...confirmed }: Confirmed): boolean {
    if (stale.length > 0) {
      const lost = new RangeSet(stale.map(toRange));
      for (const { firstOffset, nextOffset } of this.#doubtful) lost.delete(firstOffset, nextOffset);
      this.#lose(lost);
    }
    if (this.#doubtful.isEmpty) return false;
    for (const ranges of [stale, ...Object.values(confirmed)]) {
      for (const { firstOffset, nextOffset } of ranges.map(toRange)) this.#doubtful.delete(firstOffset, nextOffset);
    }
    return true;
  }

  /** The call is over. */
  loseAll(): void {
    this.arrivals.clear();
    for (const held of this.inHand) held.lose();
  }

  /** These are not this consumer's any more. */
  #lose(offsets: RangeSet): void {
    if (this.outstanding === 0) return;
    for (const held of this.inHand) if (held.isIn(offsets)) held.lose();
    this.arrivals.drop(offsets);
  }

  #hand<Item extends Held>(held: Item): Item {
    this.inHand.add(held);
    this.#inHandCount += held.count;
    return held;
  }

  #isDoubtful(record: ReceivedRecord | undefined): boolean {
    return record !== undefined && !this.#doubtful.isEmpty && this.#doubtful.has(record.offset);
  }
}
