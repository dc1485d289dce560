import type { Source } from "../../../src/streams/sources/from.js";

/** More items than a stream can take in one turn of the event loop: a turn has 10 ms, and an item takes over 10 ns. */
export const itemsMax = 2 ** 20;

export interface AlwaysReady {
  readonly source: Source<number>;
  /** How many items it returned before the next turn of the event loop. It ends with that turn, or at `itemsMax`. */
  readonly given: number;
}

/** A source that never waits, as an iterable or as an async iterable. */
export function alwaysReady(kind: "iterable" | "async iterable"): AlwaysReady {
  let given = 0;
  let hadTurn = false;
  setImmediate(() => {
    hadTurn = true;
  });
  const next = (): IteratorResult<number, undefined> => {
    if (hadTurn || given === itemsMax) return { done: true, value: undefined };
    given += 1;
    return { done: false, value: given % 10 };
  };
  const source: Source<number> =
    kind === "iterable"
      ? { [Symbol.iterator]: () => ({ next }) }
      : { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(next()) }) };
  return {
    source,
    get given() {
      return given;
    },
  };
}
