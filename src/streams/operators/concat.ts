import { closeAll } from "../close-all.js";
import { from, type Source } from "../sources/from.js";
import { type Produced, Stage } from "../stage.js";
import { END, type Stream } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";
import { PENDING, type Pending, type Waker } from "../waits/waiter.js";
import type { ItemOf } from "./merge.js";

/**
 * All items of the first source, then those of the second, and so on. A source is not pulled before its turn. Holds
 * nothing. An error ends the stream and closes the remaining sources. O(1) an item.
 *
 * @example
 * console.log(await collect(concat([1, 2], range(3, 5)), { limit: 10 })); // [ 1, 2, 3, 4 ]
 */
export function concat<Sources extends readonly Source<unknown>[]>(
  ...sources: Sources
): Stream<ItemOf<Sources[number]>>;
export function concat<T>(...sources: readonly Source<T>[]): Stream<T>;
export function concat(...sources: readonly Source<unknown>[]): Stream<unknown> {
  return new Concatenated(sources.map((source) => from(source)));
}

class Concatenated<T> extends Stage<T> {
  readonly #streams: readonly Stream<T>[];
  #index = 0;

  constructor(streams: readonly Stream<T>[]) {
    super();
    this.#streams = streams;
  }

  protected override produce(waker: Waker): Produced<T> {
    for (;;) {
      const stream = this.#streams[this.#index];
      if (stream === undefined) return END;
      const item = stream.poll(waker);
      if (item !== END) return item;
      this.#index += 1;
      // A run of empty sources must not block the event loop.
      if (isTurnOver()) return yieldToEventLoop().then(again);
    }
  }

  protected override dispose(): Promise<void> | undefined {
    return closeAll(this.#streams.slice(this.#index));
  }
}

function again(): Pending {
  return PENDING;
}
