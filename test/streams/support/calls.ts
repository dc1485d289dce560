import { type Deferred, deferred } from "../../../src/streams/index.js";

export interface Calls {
  readonly f: (item: number, context: { readonly signal: AbortSignal }) => Promise<string>;
  /** The running calls, oldest first. */
  readonly open: readonly number[];
  /** How many calls have begun. */
  readonly begun: number;
  /** The largest number of calls that ran at once. */
  readonly openMax: number;
  /** How many calls were aborted while they ran. */
  readonly told: number;
  finish(item: number): void;
  fail(item: number, error: Error): void;
}

/** A function whose calls the test settles in any order; the result is the item as a string. */
export function calls(): Calls {
  const open = new Map<number, Deferred<string>>();
  let begun = 0;
  let openMax = 0;
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
      openMax = Math.max(openMax, open.size);
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
    get openMax() {
      return openMax;
    },
    get told() {
      return told;
    },
    finish: (item) => take(item).resolve(String(item)),
    fail: (item, error) => take(item).reject(error),
  };
}
