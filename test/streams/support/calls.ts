import { type Deferred, deferred } from "../../../src/streams/index.js";

export interface Calls {
  readonly f: (item: number, context: { readonly signal: AbortSignal }) => Promise<string>;
  /** The calls that are not settled, oldest first. */
  readonly open: readonly number[];
  /** How many were begun. */
  readonly begun: number;
  /** How many were under way at once, at most. */
  readonly openMost: number;
  /** How many were told to stop while they were under way. */
  readonly told: number;
  finish(item: number): void;
  fail(item: number, error: Error): void;
}

/** A function whose calls the test settles, in the order that it likes: with the item as a string. */
export function calls(): Calls {
  const open = new Map<number, Deferred<string>>();
  let begun = 0;
  let openMost = 0;
  let told = 0;
  const take = (item: number): Deferred<string> => {
    const call = open.get(item);
    if (call === undefined) throw new Error(`No call of ${item} is under way`);
    open.delete(item);
    return call;
  };
  return {
    f: (item, { signal }) => {
      const call = deferred<string>();
      open.set(item, call);
      begun += 1;
      openMost = Math.max(openMost, open.size);
      signal.addEventListener("abort", () => {
        if (open.has(item)) told += 1;
      });
      return call.promise;
    },
    get open() {
      return [...open.keys()];
    },
    get begun() {
      return begun;
    },
    get openMost() {
      return openMost;
    },
    get told() {
      return told;
    },
    finish: (item) => take(item).resolve(String(item)),
    fail: (item, error) => take(item).reject(error),
  };
}
