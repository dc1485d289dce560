import { inBothStyles } from "../both-styles.js";
import { checkCount } from "../check-count.js";
import { LimitExceededError } from "../errors.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { checkDelay } from "../waits/abort.js";
import { WakeTimer } from "../waits/wake-timer.js";
import type { Waker } from "../waits/waiter.js";
import { Grouping } from "./grouping.js";

export interface TimeWindowsOptions<T> {
  /** The duration of a window. A whole number. */
  readonly sizeMs: number;
  /** A window begins at each multiple of this. A whole number; default `sizeMs`. */
  readonly everyMs?: number | undefined;
  /** The time of an item, in milliseconds of any clock. Default: when it was pulled, in milliseconds since 1970. */
  readonly timeOf?: ((item: T) => number) | undefined;
  /** How many items one window may hold. One more is an error, since a window is a buffer. */
  readonly maxItems: number;
  /** Gets an item whose windows have all been returned already. Default: it is dropped. */
  readonly onLate?: ((item: T) => void) | undefined;
}

/** The items with times from `start` to below `end`, in the order in which they came. */
export interface TimeWindow<T> {
  readonly start: number;
  readonly end: number;
  readonly items: T[];
}

/**
 * Windows of `sizeMs`; one begins at each multiple of `everyMs`. They overlap when `everyMs` is less than `sizeMs`: an item
 * is then in several. They have gaps when it is more: items in a gap are dropped. Windows come in order of time, and only
 * if they have items.
 *
 * With `timeOf`, a window is complete when an item comes whose time is at or after its end, or at the end of the source. A
 * late item goes into those of its windows that are still open; if there is none, to `onLate`. Without `timeOf`, a timer
 * completes a window when its time is over, even if no item comes; no item is late.
 *
 * Holds the open windows, up to `maxItems` in each. With more, it fails with `LimitExceededError`. An error comes after the
 * windows of the items before it, including open ones. Closing drops them and clears the timer. O(sizeMs / everyMs) an
 * item.
 *
 * @example
 * const readings = [{ at: 0, c: 20 }, { at: 400, c: 21 }, { at: 1100, c: 25 }];
 * const perSecond = timeWindows(readings, { sizeMs: 1000, maxItems: 100, timeOf: ({ at }) => at });
 * await forEach(perSecond, ({ start, items }) => console.log(start, Math.max(...items.map(({ c }) => c)))); // 0 21 1000 25
 */
export function timeWindows<T>(options: TimeWindowsOptions<T>): Operator<T, TimeWindow<T>>;
export function timeWindows<T>(source: Source<T>, options: TimeWindowsOptions<T>): Stream<TimeWindow<T>>;
export function timeWindows(...args: readonly unknown[]): unknown {
  return inBothStyles(windowByTime, args);
}

function windowByTime<T>(source: Source<T>, options: TimeWindowsOptions<T>): Stream<TimeWindow<T>> {
  checkCount("make windows of", options.sizeMs, 1);
  checkCount("begin a window every", options.everyMs ?? options.sizeMs, 1);
  checkCount("hold up to", options.maxItems, 1);
  if (options.timeOf === undefined) checkDelay(options.sizeMs);
  return new TimeWindows(from(source), options);
}

/** A window that begins at `index * everyMs`. */
interface OpenWindow<T> extends TimeWindow<T> {
  readonly index: number;
}

class TimeWindows<T> extends Grouping<T, TimeWindow<T>> {
  readonly #sizeMs: number;
  readonly #everyMs: number;
  readonly #timeOf: ((item: T) => number) | undefined;
  readonly #maxItems: number;
  readonly #onLate: ((item: T) => void) | undefined;
  readonly #timer = new WakeTimer();
  /** In order of time. Windows that ended at or before `#now` are returned next. */
  #open: OpenWindow<T>[] = [];
  /** The latest time of an item or the clock. */
  #now = -Infinity;
  /** An item that waits until the windows before it have been returned. */
  #held: { readonly item: T; readonly time: number } | undefined;
  /** The difference between the time since 1970 and the monotonic clock, in milliseconds. */
  #epoch: number | undefined;

  constructor(source: Stream<T>, options: TimeWindowsOptions<T>) {
    super(source);
    this.#sizeMs = options.sizeMs;
    this.#everyMs = options.everyMs ?? options.sizeMs;
    this.#timeOf = options.timeOf;
    this.#maxItems = options.maxItems;
    this.#onLate = options.onLate;
  }

  protected override due(): TimeWindow<T> | undefined {
    return this.#giveIfOver() ?? this.#placeHeld();
  }

  protected override take(item: T): TimeWindow<T> | undefined {
    const time = this.#timeOf === undefined ? this.#clock() : this.#timeOf(item);
    if (!Number.isFinite(time)) throw new RangeError(`Cannot put an item into a window: its time is ${time}`);
    this.#now = Math.max(this.#now, time);
    this.#held = { item, time };
    return this.due();
  }

  protected override pause(waker: Waker | undefined): TimeWindow<T> | undefined {
    const first = this.#open[0];
    if (this.#timeOf !== undefined || first === undefined) return undefined;
    this.#now = this.#clock();
    if (waker !== undefined && first.end > this.#now) this.#timer.wakeIn(first.end - this.#now, waker);
    return this.#giveIfOver();
  }

  protected override rest(): TimeWindow<T> | undefined {
    return this.#give();
  }

  protected override drop(): void {
    this.#open = [];
    this.#held = undefined;
    this.#timer.close();
  }

  /** The first window, if its time is over. */
  #giveIfOver(): TimeWindow<T> | undefined {
    const first = this.#open[0];
    return first !== undefined && first.end <= this.#now ? this.#give() : undefined;
  }

  #give(): TimeWindow<T> | undefined {
    const window = this.#open.shift();
    return window && { start: window.start, end: window.end, items: window.items };
  }

  #placeHeld(): undefined {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    const { item, time } = held;
    const last = Math.floor(time / this.#everyMs);
    const first = this.#firstOpenAt(time);
    const firstOpen = Math.max(first, this.#firstOpenAt(this.#now));
    if (first <= last && firstOpen > last) this.#onLate?.(item);
    else this.#place(item, firstOpen, last);
  }

  /** The index of the first window that is not over at `time`. */
  #firstOpenAt(time: number): number {
    return Math.floor((time - this.#sizeMs) / this.#everyMs) + 1;
  }

  #place(item: T, first: number, last: number): void {
    const open = this.#open;
    let at = 0;
    for (let index = first; index <= last; index += 1) {
      while (at < open.length && (open[at] as OpenWindow<T>).index < index) at += 1;
      if (open[at]?.index !== index) {
        const start = index * this.#everyMs;
        open.splice(at, 0, { index, start, end: start + this.#sizeMs, items: [] });
      }
      const { items } = open[at] as OpenWindow<T>;
      if (items.length === this.#maxItems) throw new LimitExceededError(this.#maxItems);
      items.push(item);
    }
  }

  #clock(): number {
    this.#epoch ??= Date.now() - performance.now();
    return this.#epoch + performance.now();
  }
}
