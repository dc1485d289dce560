import { type OffsetRange, RangeSet } from "../../core/index.js";
import type { ConsumeResponse_Confirmed as Confirmed } from "../../gen/millrace/v1/subscription_service.js";
import type { Held } from "./held.js";
import { toRange } from "./offset-range.js";
import { isMeant, type StaleDeliveries } from "./stale-deliveries.js";

/** A wait for the answer to the verdict on one record. */
interface Waiting {
  /** The attempt that the verdict is on. */
  readonly attempt: number;
  readonly taken: () => void;
  readonly stale: () => void;
}

/** A wait for the answers to the verdict on several records. */
interface WaitingForMany extends Waiting {
  readonly left: RangeSet;
  isStale: boolean;
}

/**
 * The promises of verdicts that the server has not answered yet. Verdicts that a loop gives by itself have no promise
 * and are not in here. A verdict on a whole message is kept as ranges, so that bulk work costs nothing per record.
 */
export class Confirmations {
  readonly #single = new Map<number, Waiting>();
  readonly #many = new Set<WaitingForMany>();

  /** Resolves with `word` when the server has taken all of it, with "stale" when it has not taken some of it. */
  expect<Word extends string>(held: Held, word: Word): Promise<Word | "stale"> {
    return new Promise((resolve) => {
      const taken = () => resolve(word);
      const stale = () => resolve("stale");
      const left = new RangeSet();
      held.addTo(left);
      const { attempt } = held;
      if (held.count > 1) this.#many.add({ attempt, taken, stale, left, isStale: false });
      else this.#single.set(left.first as number, { attempt, taken, stale });
    });
  }

  /**
   * The server took these verdicts. It answers them before it redelivers their records: attempts need no comparison.
   */
  confirm({ acknowledged, rejected, parked, released }: Confirmed): void {
    if (this.#single.size + this.#many.size === 0) return;
    for (const ranges of [acknowledged, rejected, parked, released]) {
      for (const range of ranges) this.#settle(toRange(range), 0, false);
    }
  }

  /** The verdicts on these came too late: this consumer no longer had them. */
  refuse({ offsets, attempt }: StaleDeliveries): void {
    if (this.#single.size + this.#many.size === 0) return;
    for (const range of offsets) this.#settle(range, attempt, true);
  }

  /** Settles all waits as stale: no more answers will arrive. */
  close(): void {
    for (const { stale } of this.#single.values()) stale();
    for (const { stale } of this.#many) stale();
    this.#single.clear();
    this.#many.clear();
  }

  /** `attempt` 0: any. */
  #settle(range: OffsetRange, attempt: number, isStale: boolean): void {
    const { firstOffset, nextOffset } = range;
    if (nextOffset - firstOffset <= this.#single.size) {
      for (let offset = firstOffset; offset < nextOffset; offset++) this.#settleOne(offset, attempt, isStale);
    } else {
      for (const offset of this.#single.keys()) {
        if (offset >= firstOffset && offset < nextOffset) this.#settleOne(offset, attempt, isStale);
      }
    }
    for (const waiting of this.#many) {
      if (isMeant(waiting.attempt, attempt)) this.#settlePart(waiting, range, isStale);
    }
  }

  #settleOne(offset: number, attempt: number, isStale: boolean): void {
    const waiting = this.#single.get(offset);
    if (waiting === undefined || !isMeant(waiting.attempt, attempt)) return;
    this.#single.delete(offset);
    if (isStale) waiting.stale();
    else waiting.taken();
  }

  #settlePart(waiting: WaitingForMany, { firstOffset, nextOffset }: OffsetRange, isStale: boolean): void {
    const { left } = waiting;
    const before = left.count;
    left.delete(firstOffset, nextOffset);
    if (left.count === before) return;
    waiting.isStale ||= isStale;
    if (!left.isEmpty) return;
    this.#many.delete(waiting);
    if (waiting.isStale) waiting.stale();
    else waiting.taken();
  }
}
