import { closeAll } from "../close-all.js";
import { from, type Source } from "../sources/from.js";
import { Stage } from "../stage.js";
import { END, PENDING, type Polled, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";
import type { ItemOf } from "./merge.js";

/**
 * Tuples: the first items of all sources, then the second ones, until one of the sources ends; the others are then closed.
 * Holds up to one item of each source; an item beyond the end of the shortest source is dropped. An error ends the stream
 * and closes the others. O(sources) an item.
 *
 * @example
 * console.log(await collect(zip([1, 2, 3], ["a", "b"]), { limit: 10 })); // [ [ 1, 'a' ], [ 2, 'b' ] ]
 */
export function zip<Sources extends readonly Source<unknown>[]>(
  ...sources: Sources
): Stream<{ -readonly [Index in keyof Sources]: ItemOf<Sources[Index]> }> {
  return new Zipped(sources.map((source) => from(source)));
}

class Zipped<Items extends readonly unknown[]> extends Stage<Items> {
  readonly #streams: readonly Stream<unknown>[];
  /** The item of each source for the next tuple; PENDING if there is none yet. */
  #items: unknown[];

  constructor(streams: readonly Stream<unknown>[]) {
    super();
    this.#streams = streams;
    this.#items = streams.map(() => PENDING);
  }

  protected override produce(waker: Waker): Polled<Items> {
    if (this.#streams.length === 0) return END;
    const items = this.#items;
    let isWhole = true;
    for (let index = 0; index < items.length; index += 1) {
      if (items[index] !== PENDING) continue;
      // All are polled before the first wait; each wakes the same waker.
      const item = this.#streams[index]?.poll(waker);
      if (item === END) return END;
      items[index] = item;
      if (item === PENDING) isWhole = false;
    }
    if (!isWhole) return PENDING;
    this.#items = items.map(() => PENDING);
    return items as unknown as Items;
  }

  protected override dispose(): Promise<void> | undefined {
    this.#items = [];
    return closeAll(this.#streams);
  }
}
