import type { Source } from "../../../src/streams/sources/from.js";

/** More items than a stream may take in one turn of the event loop: it takes 10 ms, and an item more than 10 ns. */
export const itemsMax = 2 ** 20;

export interface AlwaysReady {
  readonly source: Source<number>;
  /** How many items it gave before the event loop had its turn; it ends with that, or at `itemsMax`. */
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
