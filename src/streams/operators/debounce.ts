import { inBothStyles } from "../both-styles.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { checkDelay } from "../waits/abort.js";
import { WakeTimer } from "../waits/wake-timer.js";
import type { Waker } from "../waits/waiter.js";
import { Grouping } from "./grouping.js";
import { map } from "./map.js";

export interface DebounceOptions {
  /** A burst is over when no item has come for this time, in milliseconds. */
  readonly quietMs: number;
  /** Return the first item of a burst, at once. Default false. */
  readonly leading?: boolean | undefined;
  /** Return the last item of a burst, when the burst is over. Default true. */
  readonly trailing?: boolean | undefined;
  /** In a burst that goes on, return the latest item when an item has waited for this time. Default: wait for the end. */
  readonly longestMs?: number | undefined;
}

/**
 * One item of each burst: the last, when no item has come for `quietMs`; or the first, at once; or both, if the burst has
 * more than one. With `longestMs`, a burst that does not end returns its latest item at intervals.
 *
 * Holds one item; a later item replaces it. It is for sources that have their own pace: if a source is always ready, all
 * its items are one burst. The end of the source ends a burst. An error comes after the held item; closing drops that item.
 * One timer runs while an item is held, and none afterwards. O(1) an item.
 *
 * @example
 * const keystrokes = ["m", "mi", "mil", "mill"];
 * console.log(await collect(debounce(keystrokes, { quietMs: 50 }), { limit: 10 })); // [ 'mill' ]
 */
export function debounce<T>(options: DebounceOptions): Operator<T, T>;
export function debounce<T>(source: Source<T>, options: DebounceOptions): Stream<T>;
export function debounce(...args: readonly unknown[]): unknown {
  return inBothStyles(debounceItems, args);
}

function debounceItems<T>(source: Source<T>, options: DebounceOptions): Stream<T> {
  const { quietMs, longestMs, leading = false, trailing = true } = options;
  checkDelay(quietMs);
  if (longestMs !== undefined && !(longestMs >= quietMs)) {
    throw new RangeError(`Cannot set longestMs to ${longestMs}: it is less than quietMs, ${quietMs}`);
  }
  if (longestMs !== undefined) checkDelay(longestMs);
  if (!leading && !trailing) throw new RangeError("Cannot debounce to neither the first nor the last item of a burst");
  return map(new Bursts(from(source), { quietMs, longestMs, leading, trailing }), ([item]) => item);
}

/** Groups of one item: a tuple, since the item may be undefined. */
class Bursts<T> extends Grouping<T, readonly [T]> {
  readonly #options: DebounceOptions;
  readonly #timer = new WakeTimer();
  #held: readonly [T] | undefined;
  /** When the burst is over if no item comes. */
  #quietAt = -Infinity;
  /** When the held item has waited for `longestMs`. */
  #longestAt = Infinity;

  constructor(source: Stream<T>, options: DebounceOptions) {
    super(source);
    this.#options = options;
  }

  protected override due(): readonly [T] | undefined {
    return undefined;
  }

  protected override take(item: T): readonly [T] | undefined {
    const { quietMs, longestMs = Infinity, leading, trailing } = this.#options;
    const now = performance.now();
    const isFirst = now >= this.#quietAt;
    // The held item of a burst that was over before this item came.
    const last = isFirst ? this.#give() : undefined;
    this.#quietAt = now + quietMs;
    if (isFirst && leading === true && last === undefined) return [item];
    if (trailing === true) {
      if (this.#held === undefined) this.#longestAt = now + longestMs;
      this.#held = [item];
    }
    return last ?? (now >= this.#longestAt ? this.#give() : undefined);
  }

  protected override pause(waker: Waker | undefined): readonly [T] | undefined {
    if (this.#held === undefined) return undefined;
    const leftMs = Math.min(this.#quietAt, this.#longestAt) - performance.now();
    if (leftMs <= 0) return this.#give();
    if (waker === undefined) return undefined;
    // New items move the end of the burst. If the timer fires before it, it is set again.
    if (this.#timer.isSet) this.#timer.wakeInstead(waker);
    else this.#timer.wakeIn(leftMs, waker);
    return undefined;
  }

  protected override rest(): readonly [T] | undefined {
    return this.#give();
  }

  protected override drop(): void {
    this.#held = undefined;
    this.#timer.close();
  }

  #give(): readonly [T] | undefined {
    const held = this.#held;
    this.#held = undefined;
    this.#longestAt = Infinity;
    if (this.#timer.isSet) this.#timer.clear();
    return held;
  }
}
