import type { RangeSet } from "../../core/index.js";
import type { ReceivedRecord } from "../../wire/index.js";
import { isMeant } from "./stale-deliveries.js";

/** The records of one message that no work has begun on: phase `arrived` of delivery-life.ts. */
export interface Arrival {
  readonly records: readonly ReceivedRecord[];
  /** The index of the first record that was not taken. */
  at: number;
  readonly attempt: number;
  /** When the message arrived, or its deadline was last extended. */
  heldSinceMs: number;
  readonly highest: number;
}

/** Records that no work has begun on, in the order of their arrival. The consumer's window bounds them. */
export class Arrivals implements Iterable<Arrival> {
  #waiting: (Arrival | undefined)[] = [];
  /**
   * The index of the oldest message in `waiting`. The array is shortened when half of it is empty, not at every
   * message.
   */
  #head = 0;
  #count = 0;

  /** How many records. */
  get count(): number {
    return this.#count;
  }

  /** The oldest message that has records left. */
  get oldest(): Arrival | undefined {
    return this.#waiting[this.#head];
  }

  push(records: readonly ReceivedRecord[], attempt: number, heldSinceMs: number): void {
    let highest = -1;
    for (const { offset } of records) if (offset > highest) highest = offset;
    this.#waiting.push({ records, at: 0, attempt, heldSinceMs, highest });
    this.#count += records.length;
  }

  /** Takes the next record of the oldest message. */
  takeOne(): ReceivedRecord | undefined {
    const from = this.oldest;
    if (from === undefined) return undefined;
    const record = from.records[from.at];
    from.at += 1;
    this.#count -= 1;
    if (from.at === from.records.length) this.#drop();
    return record;
  }

  /** Takes what is left of the oldest message. */
  takeMessage(): Arrival | undefined {
    const from = this.oldest;
    if (from === undefined) return undefined;
    this.#count -= from.records.length - from.at;
    this.#drop();
    return from.at === 0 ? from : { ...from, records: from.records.slice(from.at), at: 0 };
  }

  /**
   * Drops the records with these offsets that were delivered with this attempt (0: any). This consumer has lost them,
   * or they were redelivered.
   */
  drop(offsets: RangeSet, attempt: number): void {
    const lowest = offsets.first;
    if (lowest === undefined) return;
    const isUnaffected = (arrival: Arrival | undefined) =>
      arrival === undefined || arrival.highest < lowest || !isMeant(arrival.attempt, attempt);
    if (this.#waiting.every(isUnaffected)) return;
    const left: Arrival[] = [];
    for (let index = this.#head; index < this.#waiting.length; index++) {
      const arrival = this.#waiting[index] as Arrival;
      const { records, at } = arrival;
      const kept = isUnaffected(arrival)
        ? records.slice(at)
        : records.filter(({ offset }, place) => place >= at && !offsets.has(offset));
      this.#count -= records.length - at - kept.length;
      if (kept.length > 0) left.push({ ...arrival, records: kept, at: 0 });
    }
    this.#waiting = left;
    this.#head = 0;
  }

  /** The messages that have records left, the oldest first. */
  *[Symbol.iterator](): Generator<Arrival, void> {
    for (const arrival of this.#waiting) if (arrival !== undefined) yield arrival;
  }

  clear(): void {
    this.#waiting = [];
    this.#head = 0;
    this.#count = 0;
  }

  #drop(): void {
    // Otherwise the array would keep the message in memory.
    this.#waiting[this.#head] = undefined;
    this.#head += 1;
    if (this.#head * 2 < this.#waiting.length) return;
    this.#waiting.splice(0, this.#head);
    this.#head = 0;
  }
}
