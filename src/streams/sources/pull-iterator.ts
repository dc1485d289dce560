/** What a pull iterator stands on. */
export interface PullSource<T> {
  /** The next item or the end. Its signal aborts when the consumer returns; then whatever it waits for must end. */
  pull(signal: AbortSignal): Promise<IteratorResult<T, undefined>>;
  /** Runs once: at the end, after an error, or when the consumer returns. */
  close?(): void;
}

/**
 * An async iterator over a source. Unlike an async generator's, its `return()` reaches a wait in which `next()` is
 * parked: that `next()` then gives the end. Calls of `next()` that overlap are served in order. After the end, an error
 * or `return()` it always gives the end. Nothing is pulled before `next()`, and one item at most is in its hands.
 */
export function pullIterator<T>(source: PullSource<T>): AsyncIterableIterator<T, undefined> {
  const returned = new AbortController();
  const left = new Error("The consumer left");
  let isOpen = true;
  let pending = 0;
  let latest: Promise<unknown> = Promise.resolve();

  const end = (): IteratorReturnResult<undefined> => {
    if (isOpen) {
      isOpen = false;
      source.close?.();
    }
    return { done: true, value: undefined };
  };

  const step = async (): Promise<IteratorResult<T, undefined>> => {
    try {
      if (!isOpen) return end();
      const result = await source.pull(returned.signal);
      return result.done ? end() : result;
    } catch (error) {
      const ended = end();
      if (error === left) return ended;
      throw error;
    } finally {
      pending -= 1;
    }
  };

  return {
    next() {
      const result = pending === 0 ? step() : latest.then(step, step);
      pending += 1;
      latest = result;
      return result;
    },
    return() {
      const ended = end();
      returned.abort(left);
      return Promise.resolve(ended);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
