import { type Deferred, deferred } from "../../streams/index.js";

export interface GatherOptions<Item, Result> {
  /** How many calls may run at once. */
  readonly calls: number;
  /** How many items may wait. The next one is refused with the error that `full` makes. */
  readonly capacity: number;
  readonly full: () => Error;
  /** How many of the waiting items go into one call; at least one. */
  readonly fitting: (waiting: readonly Item[]) => number;
  /** Makes one call for some items, and gives a result for each, in their order. All of them get what it throws. */
  readonly call: (items: readonly Item[]) => Promise<readonly (Result | Promise<Result>)[]>;
}

export interface Gathered<Item, Result> {
  /** Settles with this item's result. */
  ask(item: Item): Promise<Result>;
  readonly waiting: number;
}

/**
 * Shares calls between items. While few calls run, an item gets a call of its own at once. Items that arrive later
 * share the next call. So no item waits for company, and the load per item falls as the load grows.
 */
export function gather<Item, Result>(options: GatherOptions<Item, Result>): Gathered<Item, Result> {
  const { calls, capacity, full, fitting, call } = options;
  const waiting: { readonly item: Item; readonly done: Deferred<Result> }[] = [];
  let underWay = 0;

  async function run(): Promise<void> {
    const count = fitting(waiting.map(({ item }) => item));
    const taken = waiting.splice(0, count);
    try {
      const results = await call(taken.map(({ item }) => item));
      taken.forEach(({ done }, index) => done.resolve(results[index] as Result | Promise<Result>));
    } catch (error) {
      for (const { done } of taken) done.reject(error);
    }
  }

  function start(): void {
    while (underWay < calls && waiting.length > 0) {
      underWay += 1;
      void run().finally(() => {
        underWay -= 1;
        start();
      });
    }
  }

  return {
    get waiting() {
      return waiting.length;
    },
    ask(item) {
      if (waiting.length >= capacity) return Promise.reject(full());
      const done = deferred<Result>();
      waiting.push({ item, done });
      start();
      return done.promise;
    },
  };
}
