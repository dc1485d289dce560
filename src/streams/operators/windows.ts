import { inBothStyles } from "../both-styles.js";
import { checkCount } from "../check-count.js";
import type { Operator } from "../pipe.js";
import { from, type Source } from "../sources/from.js";
import type { Stream } from "../stream.js";
import { Grouping } from "./grouping.js";

export interface WindowsOptions {
  /** The number of items in a window. */
  readonly size: number;
  /** The distance between the beginnings of two windows, in items. Default `size`. */
  readonly every?: number | undefined;
  /** Whether items at the end that fill no window are returned in a shorter one. Default false. */
  readonly partial?: boolean | undefined;
}

/**
 * Windows of `size` items, as arrays that are yours to keep. They overlap when `every` is less than `size`; when it is
 * more, the items between windows are dropped. A window comes as soon as its last item is there. Unless `partial` is true,
 * only full windows come: a mean of the last ten items needs ten.
 *
 * Holds up to `size` items. An error comes after the windows before it, including the partial one. Closing drops the held
 * items. O(1) an item, and O(size) a window if windows overlap, since each is a copy.
 *
 * @example
 * const means = pipe(
 *   from([1, 2, 6, 4]),
 *   windows({ size: 3, every: 1 }),
 *   map((window) => window.reduce((sum, n) => sum + n, 0) / window.length),
 * );
 * console.log(await collect(means, { limit: 10 })); // [ 3, 4 ]
 */
export function windows<T>(options: WindowsOptions): Operator<T, T[]>;
export function windows<T>(source: Source<T>, options: WindowsOptions): Stream<T[]>;
export function windows(...args: readonly unknown[]): unknown {
  return inBothStyles(windowItems, args);
}

function windowItems<T>(source: Source<T>, { size, every = size, partial = false }: WindowsOptions): Stream<T[]> {
  checkCount("make windows of", size, 1);
  checkCount("begin a window every", every, 1);
  return new CountWindows(from(source), { size, every, partial });
}

interface WindowShape {
  readonly size: number;
  readonly every: number;
  readonly partial: boolean;
}

class CountWindows<T> extends Grouping<T, T[]> {
  readonly #size: number;
  readonly #every: number;
  readonly #isPartial: boolean;
  #items: T[] = [];
  /** How many items are still to be dropped. */
  #gap = 0;
  /** How many of the items are in no window yet. */
  #fresh = 0;

  constructor(source: Stream<T>, { size, every, partial }: WindowShape) {
    super(source);
    this.#size = size;
    this.#every = every;
    this.#isPartial = partial;
  }

  protected override due(): undefined {
    return undefined;
  }

  protected override take(item: T): T[] | undefined {
    if (this.#gap > 0) {
      this.#gap -= 1;
      return undefined;
    }
    this.#items.push(item);
    this.#fresh += 1;
    return this.#items.length === this.#size ? this.#give() : undefined;
  }

  protected override pause(): undefined {
    return undefined;
  }

  protected override rest(): T[] | undefined {
    return this.#isPartial && this.#fresh > 0 ? this.#give() : undefined;
  }

  protected override drop(): void {
    this.#items = [];
  }

  #give(): T[] {
    const window = this.#items;
    this.#items = window.slice(this.#every);
    this.#gap = Math.max(0, this.#every - this.#size);
    this.#fresh = 0;
    return window;
  }
}
