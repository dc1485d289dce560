import { yieldToEventLoop } from "../../../src/streams/index.js";

export interface TrackedSource<T> {
  readonly items: AsyncIterable<T>;
  /** How many times an item was pulled. */
  readonly pulled: number;
  /** How many times its `return()` was called, or it ended by itself. */
  readonly closed: number;
}

export interface TrackedSourceOptions {
  /** Thrown after the items. */
  readonly failWith?: Error;
  /** After the items, waits until it is closed. */
  readonly parksAtEnd?: boolean;
  /** Returns each item in its own turn of the event loop. */
  readonly isSlow?: boolean;
}

/** An async iterable that records how it was used. It reacts to `return()` at once, even during a wait. */
export function tracked<T>(items: readonly T[], options: TrackedSourceOptions = {}): TrackedSource<T> {
  let pulled = 0;
  let closed = 0;
  let index = 0;
  const iterator: AsyncIterator<T, undefined> = {
    async next() {
      pulled += 1;
      if (options.isSlow === true) await yieldToEventLoop();
      if (index < items.length) {
        index += 1;
        return { done: false, value: items[index - 1] as T };
      }
      if (options.parksAtEnd === true && closed === 0) await new Promise(() => undefined);
      if (options.failWith !== undefined) throw options.failWith;
      return { done: true, value: undefined };
    },
    return() {
      closed += 1;
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  return {
    items: { [Symbol.asyncIterator]: () => iterator },
    get pulled() {
      return pulled;
    },
    get closed() {
      return closed;
    },
  };
}
